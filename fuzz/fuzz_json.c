/* Fuzz target: JSON artefacts: loading with its limits, lines of values, the typed getters. */
#include "fuzz.h"

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text;
    double number;
    long long whole;
    json_t *value, *part;
    (void)mdm_json_line((const char *)data, size, "tracks/1/boxes/0");
    if (mdm_json_load(&value, fuzz_file(data, size, "x.json"), 0) != MDM_OK)
        return 0;
    (void)mdm_json_string(&text, value, "id", "x");
    (void)mdm_json_number(&number, value, "fps", "x");
    (void)mdm_json_int(&whole, value, "frames", 0, 100, "x");
    (void)mdm_json_array(&part, value, "tracks", "x");
    (void)mdm_json_object(&part, value, "video", "x");
    json_decref(value);
    return 0;
}
