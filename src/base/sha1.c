/* SHA-1 (FIPS 180-4). */
#define _POSIX_C_SOURCE 200809L /* fseeko */
#include "base/sha1.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct sha1 {
    uint32_t h[5];
    uint64_t length;
    unsigned char block[64];
    size_t used;
} sha1;

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void compress(sha1 *s)
{
    uint32_t w[80], a = s->h[0], b = s->h[1], c = s->h[2], d = s->h[3], e = s->h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)s->block[4 * i] << 24 | (uint32_t)s->block[4 * i + 1] << 16 |
               (uint32_t)s->block[4 * i + 2] << 8 | s->block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        static const uint32_t constant[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t next = rotate(a, 5) + f + e + constant[i / 20] + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    s->h[0] += a;
    s->h[1] += b;
    s->h[2] += c;
    s->h[3] += d;
    s->h[4] += e;
}

static void add(sha1 *s, const void *data, size_t size)
{
    const unsigned char *p = data;
    s->length += size;
    while (size) {
        size_t n = sizeof s->block - s->used < size ? sizeof s->block - s->used : size;
        memcpy(s->block + s->used, p, n);
        s->used += n;
        p += n;
        size -= n;
        if (s->used == sizeof s->block) {
            compress(s);
            s->used = 0;
        }
    }
}

static void finish(sha1 *s, char out[41])
{
    const uint64_t bits = s->length * 8;
    unsigned char end[8];
    for (int i = 0; i < 8; i++)
        end[i] = (unsigned char)(bits >> (8 * (7 - i)));
    add(s, "\x80", 1);
    while (s->used != 56)
        add(s, "", 1);
    add(s, end, 8);
    for (int i = 0; i < 5; i++)
        snprintf(out + 8 * i, 9, "%08" PRIx32, s->h[i]);
}

mdm_status mdm_git_name_of_file(char out[41], const char *path)
{
    sha1 s = {.h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
    unsigned char buffer[1 << 14];
    char head[40];
    FILE *file = fopen(path, "rb");
    if (!file)
        return mdm_fail(MDM_ERR_INPUT, "%s: cannot be opened", path);
    bool good = fseeko(file, 0, SEEK_END) == 0;
    long long size = good ? (long long)ftello(file) : -1;
    good = size >= 0 && fseeko(file, 0, SEEK_SET) == 0;
    int head_size = snprintf(head, sizeof head, "blob %lld", size);
    add(&s, head, (size_t)head_size + 1);
    for (size_t n; good && (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
        add(&s, buffer, n);
    good = good && !ferror(file);
    fclose(file);
    finish(&s, out);
    return good ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "%s: cannot be read", path);
}
