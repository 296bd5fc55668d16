/* The part of BMF's C interface (Babit Multimedia Framework, Apache-2.0) that a module needs: our own declarations, so that nothing of
 * BMF is needed to build. The functions are BMF's: they are there when its engine loads the module. */
#ifndef MDM_BMF_ABI_H
#define MDM_BMF_ABI_H

#include <stdbool.h>
#include <stdint.h>

typedef struct bmf_task bmf_task;
typedef struct bmf_packet bmf_packet;
typedef struct bmf_video bmf_video;
typedef struct bmf_json bmf_json;
typedef struct hmp_frame hmp_frame;
typedef struct hmp_tensor hmp_tensor;
typedef struct hmp_pixels hmp_pixels;

/* Times that mean something else, at the top of int64_t. */
#define BMF_EOF  INT64_C(9223372036854775804)
#define BMF_EOS  INT64_C(9223372036854775805)
#define BMF_DONE INT64_C(9223372036854775807)

/* Numbers of hmp's enumerations; the same as FFmpeg's where there is one. */
enum { HMP_YUV420P = 0, HMP_YUV444P = 5, HMP_YUVJ420P = 12 };

int bmf_task_get_input_stream_ids(bmf_task *task, int *ids); /* how many; ids may be NULL */
int bmf_task_get_output_stream_ids(bmf_task *task, int *ids);
bmf_packet *bmf_task_pop_packet_from_input_queue(bmf_task *task, int stream); /* NULL: none */
int bmf_task_fill_output_packet(bmf_task *task, int stream, bmf_packet *packet);
void bmf_task_set_timestamp(bmf_task *task, int64_t timestamp);

bmf_packet *bmf_packet_generate_eof_packet(void);
bmf_packet *bmf_packet_from_string_param(char *text);
int64_t bmf_packet_timestamp(bmf_packet *packet);
void bmf_packet_set_timestamp(bmf_packet *packet, int64_t timestamp);
void bmf_packet_free(bmf_packet *packet);
int bmf_packet_is_videoframe(bmf_packet *packet);
bmf_video *bmf_packet_get_videoframe(bmf_packet *packet);
bmf_packet *bmf_packet_from_videoframe(bmf_video *video);
bmf_packet *bmf_packet_from_json_param(bmf_json *json);

bmf_json *bmf_json_param_parse(const char *text);
void bmf_json_param_free(bmf_json *json);

void bmf_vf_free(bmf_video *video);
bmf_video *bmf_vf_make_frame(int width, int height, hmp_pixels *pixels, const char *device);
int bmf_vf_width(bmf_video *video);
int bmf_vf_height(bmf_video *video);
hmp_frame *bmf_vf_frame(bmf_video *video);
void bmf_vf_copy_props(bmf_video *video, bmf_video *from);
void bmf_vf_set_pts(bmf_video *video, int64_t pts);
int64_t bmf_vf_pts(bmf_video *video);
void bmf_vf_set_time_base(bmf_video *video, int num, int den);
void bmf_vf_time_base(bmf_video *video, int *num, int *den);

int hmp_frame_format(hmp_frame *frame);
int hmp_frame_device_type(hmp_frame *frame); /* 0: memory of the CPU */
int64_t hmp_frame_nplanes(hmp_frame *frame);
hmp_tensor *hmp_frame_plane(hmp_frame *frame, int64_t plane);
hmp_pixels *hmp_frame_pix_info(hmp_frame *frame);
int hmp_pixel_info_space(hmp_pixels *pixels); /* numbers of ISO/IEC 23091-2, as FFmpeg has them */
int hmp_pixel_info_range(hmp_pixels *pixels); /* 2: full */
void *hmp_tensor_data(hmp_tensor *tensor);
int64_t hmp_tensor_size(hmp_tensor *tensor, int64_t dim);
int64_t hmp_tensor_stride(hmp_tensor *tensor, int64_t dim);
int64_t hmp_tensor_itemsize(hmp_tensor *tensor);

/* What BMF looks for in a module's library. Errors are strings from malloc, which BMF frees with FreeCString. */
void ConstructorRegister(void);
char *BmfSdkVersion(void);
void FreeCString(char *text);
int32_t ModuleConstruct(const char *name, int32_t node, const char *options); /* -1: failed, -2: no such module */
char *ModuleInit(int32_t id);
char *ModuleReset(int32_t id);
char *ModuleClose(int32_t id);
char *ModuleProcess(int32_t id, bmf_task *task);
char *ModuleGetInfo(int32_t id);
bool ModuleNeedHungryCheck(int32_t id, int32_t input);
bool ModuleIsHungry(int32_t id, int32_t input);
bool ModuleIsInfinity(int32_t id);

#endif
