#!/usr/bin/env python3
"""Golden values of nn.h's operations (by torch), of the imported graphs (onnxruntime; numpy executors of the oracles) and of
the face mesh and the person matte (mediapipe). Development time only.

  make_nn_goldens.py [--shared ../shared] [--models .deps/models] [ops] [graphs] [mesh] [matte] [text]

Writes tests/nn/golden/{ops,graphs}.safetensors, tests/models/golden/{mesh.safetensors,matte.safetensors,text-line.png}. The inputs of the graphs
are a formula (see `wave`) that the test repeats; of each output at most 256 values are kept, evenly spread.
needs: numpy, torch, safetensors, onnxruntime, onnx, mediapipe==0.10.14, pillow
"""
import argparse, os, sys
import numpy as np
from safetensors.numpy import save_file

def ops(out):
    import torch, torch.nn.functional as F
    torch.manual_seed(0); T = {}; r = torch.randn
    def put(case, y, **a):
        for k, v in a.items():
            if v is not None: T[f'{case}.{k}'] = v.contiguous().numpy()
        T[case + '.y'] = y.contiguous().numpy()
    x = r(2, 5, 12); w = r(7, 12) / 3; b = r(7); put('linear', F.linear(x, w, b), x=x, w=w, b=b)
    # name, in channels, out, groups, kernel, stride, padding t l b r, dilation, size, activation
    for n, ci, co, g, k, s, p, d, hw, act in [('conv_plain', 5, 9, 1, (3, 3), (1, 1), (1, 1, 1, 1), 1, (13, 18), None), ('conv_same2', 3, 16, 1, (3, 3), (2, 2), (0, 0, 1, 1), 1, (24, 22), F.relu),
            ('conv_1x1', 17, 20, 1, (1, 1), (1, 1), (0, 0, 0, 0), 1, (9, 11), F.hardswish), ('conv_grouped', 8, 12, 4, (3, 1), (1, 2), (1, 0, 1, 0), 1, (10, 15), torch.sigmoid),
            ('conv_dilated', 4, 6, 1, (3, 3), (1, 1), (2, 2, 2, 2), 2, (11, 9), F.silu), ('dw3', 10, 10, 10, (3, 3), (1, 1), (1, 1, 1, 1), 1, (14, 19), F.relu6),
            ('dw3s2', 6, 6, 6, (3, 3), (2, 2), (0, 0, 1, 1), 1, (16, 20), None), ('dw5s21', 4, 4, 4, (5, 5), (2, 1), (2, 2, 2, 2), 1, (12, 23), F.hardswish), ('conv_1x1s2', 6, 7, 1, (1, 1), (2, 2), (0, 0, 0, 0), 1, (9, 8), None)]:
        x = r(1, ci, *hw); w = r(co, ci // g, *k) / 2; b = r(co)
        y = F.conv2d(F.pad(x, (p[1], p[3], p[0], p[2])), w, b, s, 0, d, g); put(n, act(y) if act else y, x=x, w=w, b=b)
    x = r(1, 5, 8, 9); w = r(6, 5, 3, 3); a = r(6); put('conv_prelu', F.prelu(F.conv2d(x, w, None, 1, 1), a), x=x, w=w, a=a)
    x = r(1, 4, 5, 6); w = r(4, 3, 2, 2); b = r(3); put('transposed', F.conv_transpose2d(x, w, b, 2), x=x, w=w, b=b)
    x = r(1, 8, 6, 5); g = r(8); b = r(8); put('group_norm', F.group_norm(x, 4, g, b, 1e-5), x=x, w=g, b=b)
    put('rms_channels', x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-6) * g[None, :, None, None], x=x, w=g)
    x = r(3, 7, 16); g = r(16); b = r(16); put('layer_norm', F.layer_norm(x, (16,), g, b, 1e-5), x=x, w=g, b=b)
    put('rms_norm', x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * g, x=x, w=g)
    q = r(2, 6, 40); k = r(2, 9, 40); v = r(2, 9, 40); h = lambda t: t.view(2, -1, 5, 8).transpose(1, 2)
    put('attention', F.scaled_dot_product_attention(h(q), h(k), h(v)).transpose(1, 2).reshape(2, 6, 40), q=q, k=k, v=v)
    k = r(2, 6, 40); v = r(2, 6, 40); put('attention_causal', F.scaled_dot_product_attention(h(q), h(k), h(v), is_causal=True).transpose(1, 2).reshape(2, 6, 40), q=q, k=k, v=v)
    x = r(3, 20); a, c = x.chunk(2, -1); put('geglu', a * F.gelu(c), x=x); put('swiglu', F.silu(a) * c, x=x); put('softmax', F.softmax(x, -1), x=x)
    x = r(1, 3, 11, 14); put('max_pool', F.max_pool2d(x, 3, 2, 1), x=x); put('avg_pool', F.avg_pool2d(x, (3, 2), (2, 2), (1, 1), count_include_pad=False), x=x)
    put('avg_pool_counted', F.avg_pool2d(x, 3, 2, 1), x=x); put('global_mean', x.mean((2, 3), keepdim=True), x=x)
    put('nearest', F.interpolate(x, (22, 28), mode='nearest'), x=x); put('bilinear', F.interpolate(x, (17, 40), mode='bilinear'), x=x)
    put('bilinear_corners', F.interpolate(x, (25, 9), mode='bilinear', align_corners=True), x=x)
    x = r(1, 12, 4, 5); put('shuffle', F.pixel_shuffle(x, 2), x=x); x = r(1, 3, 6, 8); put('unshuffle', F.pixel_unshuffle(x, 2), x=x)
    x = r(2, 3, 4, 5); put('permute', x.permute(2, 0, 3, 1), x=x); put('slice', x[:, 1:3], x=x); put('pad', F.pad(x, (1, 2, 0, 1, 3, 0)), x=x); put('mean1', x.mean(1, keepdim=True), x=x)
    z = r(2, 4, 4, 5); put('concat', torch.cat([x, z], 1), x=x, z=z); z = r(1, 3, 1, 1); put('broadcast', (x - z) / (z + 10) + x * z, x=x, z=z)
    x = r(2, 3, 4) * 4; z = r(2, 4, 6); put('matmul', x @ z, x=x, z=z)
    for n, f in dict(relu=F.relu, relu6=F.relu6, silu=F.silu, gelu=lambda t: F.gelu(t, approximate='tanh'), gelu_erf=F.gelu, gelu_quick=lambda t: t * torch.sigmoid(1.702 * t), hardswish=F.hardswish, hardsigmoid=F.hardsigmoid, sigmoid=torch.sigmoid, tanh=torch.tanh, abs=torch.abs, exp=torch.exp, elu=F.elu).items(): put('act_' + n, f(x), x=x)
    save_file(T, out); print(out, len(T), 'arrays')

def wave(shape, scale, offset):
    """element i of a planar (N,C,H,W) picture: scale * (top 24 bits of i * 2654435761 mod 2^32, over 2^24) + offset"""
    i = np.arange(int(np.prod(shape)), dtype=np.uint64); u = ((i * np.uint64(2654435761)) & np.uint64(0xffffffff)) >> np.uint64(8)
    return (u.astype(np.float32) / np.float32(1 << 24) * np.float32(scale) + np.float32(offset)).reshape(shape)

def graphs(out, models, shared):
    import onnx, onnxruntime as ort
    sys.path.insert(0, shared + '/oracles'); import npnn, tflrun
    ort.set_default_logger_severity(3); T = {}
    def keep(name, k, y):
        y = np.ascontiguousarray(y, np.float32).ravel(); T[f'{name}.{k}'] = y[::max(1, -(-y.size // 256))][:256].copy(); print(name, k, y.size, float(np.abs(y).max()))
    for f, sh, s, o in [('centerface.onnx', (1, 3, 96, 128), 255, 0), ('fr_detect.onnx', (1, 3, 240, 320), 2, -1), ('fr_feature.onnx', (1, 3, 112, 112), 2, -1), ('fr_pose.onnx', (1, 3, 224, 224), 4, -2),
                        ('ch_PP-OCRv4_det_infer.onnx', (1, 3, 64, 96), 4, -2), ('ch_PP-OCRv4_rec_infer.onnx', (1, 3, 48, 96), 2, -1)]:
        m = onnx.load(f'{models}/{f}')
        for d, v in zip(m.graph.input[0].type.tensor_type.shape.dim, sh): d.dim_value = v
        for y in m.graph.output: y.type.tensor_type.ClearField('shape')
        del m.graph.value_info[:]
        session = ort.InferenceSession(m.SerializeToString())
        for k, y in enumerate(session.run(None, {session.get_inputs()[0].name: wave(sh, s, o)})): keep(f, k, y)
    for f, side, s, o in [('face_detection_full_range.tflite', 192, 2, -1), ('face_landmark.tflite', 192, 1, 0), ('MobileFaceNet.tflite', 112, 2, -1)]:
        if not os.path.exists(f'{models}/{f}'): print(f, 'is not fetched'); continue
        x = wave((1, 3, side, side), s, o).transpose(0, 2, 3, 1)
        if f.startswith('Mobile'): x = np.concatenate([x, x])
        g = tflrun.TFL(f'{models}/{f}')
        for k, y in enumerate(g.run(x)): keep(f, k, y[:1] if f.startswith('Mobile') else y)
    x = wave((1, 3, 224, 224), 255, 0).transpose(0, 2, 3, 1); names = ['gender_pred/Sigmoid', 'global_pooling/Mean', 'age_pred/Softmax']
    for k, (n, y) in enumerate(npnn.Graph(f'{models}/faceres.json').run({'input_1': x}, names).items()): keep('faceres.json', k, y)
    save_file(T, out)

def mesh(folder):
    import mediapipe as mp
    from PIL import Image
    T = {}; img = Image.open(f'{folder}/facegen-portrait.png').convert('RGB').resize((256, 256), 2)
    for n, angle in (('upright', 0), ('turned', 20)):
        im = img.rotate(angle, 2); im.save(f'{folder}/mesh-{n}.png'); a = np.asarray(im)
        net = mp.solutions.face_mesh.FaceMesh(static_image_mode=False, refine_landmarks=True, max_num_faces=1); L = []
        for _ in range(3):                                           # the square of the next look comes from the last points
            p = net.process(a).multi_face_landmarks[0].landmark; L.append([[q.x * 256, q.y * 256, q.z * 256] for q in p])
        T[n] = np.array(L[1:], np.float32); net.close(); print(n, np.abs(T[n][1] - T[n][0]).max())
    save_file(T, f'{folder}/mesh.safetensors')

def matte(folder):
    import mediapipe as mp
    from PIL import Image
    net = mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0); T = {}
    for n in ('upright', 'turned'):                                  # every fourth cell of every fourth row
        T[n] = np.ascontiguousarray(net.process(np.asarray(Image.open(f'{folder}/mesh-{n}.png').convert('RGB'))).segmentation_mask[::4, ::4], np.float32); print(n, T[n].mean())
    save_file(T, f'{folder}/matte.safetensors')

def text(folder):
    from PIL import Image, ImageDraw, ImageFont
    im = Image.new('RGB', (320, 128), (214, 219, 222)); d = ImageDraw.Draw(im)
    d.text((30, 40), 'AB  123  CD', fill=(24, 26, 30), font=ImageFont.load_default(44)); im.save(f'{folder}/text-line.png', optimize=True)

def main():
    ap = argparse.ArgumentParser(); ap.add_argument('--shared', default='../shared'); ap.add_argument('--models', default='.deps/models'); ap.add_argument('what', nargs='*')
    a = ap.parse_args(); what = a.what or ['ops', 'graphs', 'mesh', 'matte', 'text']
    if 'ops' in what: ops('tests/nn/golden/ops.safetensors')
    if 'graphs' in what: graphs('tests/nn/golden/graphs.safetensors', a.models, a.shared)
    if 'mesh' in what: mesh('tests/models/golden')
    if 'matte' in what: matte('tests/models/golden')
    if 'text' in what: text('tests/models/golden')

if __name__ == '__main__': main()
