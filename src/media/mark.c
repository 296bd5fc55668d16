/* The synthetic mark (mark.h). */
#include "media/mark.h"

#include <stdint.h>
#include <string.h>

static mdm_status xmp_packet(mdm_buffer *out, const char *mark)
{
    /* `mark` is our own text: it holds nothing that XML would have to escape. */
    return mdm_buffer_printf(
        out,
        "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
        "<rdf:Description rdf:about=\"\" xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" "
        "xmlns:dc=\"http://purl.org/dc/elements/1.1/\">"
        "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/" MDM_SOURCE_TYPE
        "</Iptc4xmpExt:DigitalSourceType>"
        "<dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">%s</rdf:li></rdf:Alt></dc:description>"
        "</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>",
        mark);
}

static void put_u32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (24 - 8 * i));
}

mdm_status mdm_mark_mp4_box(mdm_buffer *out, const char *mark)
{
    static const unsigned char id[16] = {0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8,
                                         0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf, 0xac};
    mdm_buffer packet = {0};
    mdm_status status = xmp_packet(&packet, mark);
    unsigned char head[24];
    if (status == MDM_OK) {
        put_u32(head, (uint32_t)(sizeof head + packet.size));
        memcpy(head + 4, "uuid", 4);
        memcpy(head + 8, id, sizeof id);
        status = mdm_buffer_append(out, head, sizeof head);
    }
    if (status == MDM_OK)
        status = mdm_buffer_append(out, packet.data, packet.size);
    mdm_buffer_free(&packet);
    return status;
}

/* CRC-32 as PNG defines it. Bit by bit: a few hundred bytes once a picture. */
static uint32_t png_crc(const unsigned char *data, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

/* One chunk: length, type and data, CRC over type and data. */
static mdm_status put_chunk(mdm_buffer *out, const char type[5], const void *key, size_t key_size, const void *text,
                            size_t text_size)
{
    unsigned char number[4];
    put_u32(number, (uint32_t)(key_size + text_size));
    MDM_TRY(mdm_buffer_append(out, number, 4));
    const size_t from = out->size;
    MDM_TRY(mdm_buffer_append(out, type, 4));
    MDM_TRY(mdm_buffer_append(out, key, key_size));
    MDM_TRY(mdm_buffer_append(out, text, text_size));
    put_u32(number, png_crc(out->data + from, out->size - from));
    return mdm_buffer_append(out, number, 4);
}

mdm_status mdm_mark_png(mdm_buffer *out, const unsigned char *png, size_t size, const char *mark)
{
    enum { HEADER = 8 + 25 }; /* signature and IHDR, always first */
    static const char xmp_key[] =
        "XML:com.adobe.xmp\0\0\0\0"; /* keyword, not compressed, no language, no translation */
    if (size < HEADER)
        return mdm_fail(MDM_ERR_INTERNAL, "a PNG of %zu bytes cannot be marked", size);
    mdm_buffer packet = {0};
    mdm_status status = xmp_packet(&packet, mark);
    if (status == MDM_OK)
        status = mdm_buffer_append(out, png, HEADER);
    if (status == MDM_OK)
        status = put_chunk(out, "tEXt", "Comment", sizeof "Comment", mark, strlen(mark));
    if (status == MDM_OK)
        status = put_chunk(out, "iTXt", xmp_key, sizeof xmp_key, packet.data, packet.size);
    if (status == MDM_OK)
        status = mdm_buffer_append(out, png + HEADER, size - HEADER);
    mdm_buffer_free(&packet);
    return status;
}
