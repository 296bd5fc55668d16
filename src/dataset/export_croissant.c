/* croissant: the VideoFolder of hf with croissant.json, Croissant 1.1 (https://docs.mlcommons.org/croissant/) and its vocabulary for
 * responsible AI: what the files are, how to read clips and faces out of them, how they came about. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "dataset/export.h"

/* As the specification's appendix has it. */
static const char context[] =
    "{\"@language\": \"en\", \"@vocab\": \"https://schema.org/\", \"arrayShape\": \"cr:arrayShape\", \"citeAs\": "
    "\"cr:citeAs\", \"column\": \"cr:column\", \"conformsTo\": \"dct:conformsTo\", \"containedIn\": "
    "\"cr:containedIn\", "
    "\"cr\": \"http://mlcommons.org/croissant/\", \"rai\": \"http://mlcommons.org/croissant/RAI/\", \"data\": "
    "{\"@id\": "
    "\"cr:data\", \"@type\": \"@json\"}, \"dataType\": {\"@id\": \"cr:dataType\", \"@type\": \"@vocab\"}, \"dct\": "
    "\"http://purl.org/dc/terms/\", \"description\": {\"@container\": \"@language\"}, \"equivalentProperty\": "
    "\"cr:equivalentProperty\", \"examples\": {\"@id\": \"cr:examples\", \"@type\": \"@json\"}, \"extract\": "
    "\"cr:extract\", \"field\": \"cr:field\", \"fileProperty\": \"cr:fileProperty\", \"fileObject\": "
    "\"cr:fileObject\", "
    "\"fileSet\": \"cr:fileSet\", \"format\": \"cr:format\", \"includes\": \"cr:includes\", \"isArray\": "
    "\"cr:isArray\", "
    "\"isLiveDataset\": \"cr:isLiveDataset\", \"jsonPath\": \"cr:jsonPath\", \"key\": \"cr:key\", \"md5\": \"cr:md5\", "
    "\"name\": {\"@container\": \"@language\"}, \"parentField\": \"cr:parentField\", \"path\": \"cr:path\", "
    "\"recordSet\": \"cr:recordSet\", \"references\": \"cr:references\", \"regex\": \"cr:regex\", \"repeated\": "
    "\"cr:repeated\", \"replace\": \"cr:replace\", \"samplingRate\": \"cr:samplingRate\", \"sc\": "
    "\"https://schema.org/\", \"separator\": \"cr:separator\", \"source\": \"cr:source\", \"subField\": "
    "\"cr:subField\", "
    "\"transform\": \"cr:transform\"}";

/* Fields of a record set: name, data type, what it is. */
typedef struct column {
    const char *name, *type, *what;
    bool array;
} column;

static const column clip_columns[] = {
    {"file_name", "sc:Text", "name of the media file beside the row", false},
    {"clip_id", "sc:Text", "stable id, not derived from the source's name", false},
    {"frames", "sc:Integer", "frames of the clip", false},
    {"fps", "sc:Float", "mean frames a second", false},
    {"width", "sc:Integer", "px", false},
    {"height", "sc:Integer", "px", false},
    {"sound", "sc:Text", "none, masked voice or original voice", false},
    {"transcript", "sc:Text", "what is said, personal data replaced by placeholders", false},
    {"synthetic", "sc:Boolean", "always true", false},
};
static const column face_columns[] = {
    {"clip_id", "sc:Text", "the clip", false},
    {"frame", "sc:Integer", "frame number from 0", false},
    {"time", "sc:Float", "seconds from the clip's first frame", false},
    {"track", "sc:Integer", "one face followed through the clip", false},
    {"person", "sc:Text", "the stand-in", false},
    {"state", "sc:Text", "replaced or covered", false},
    {"box", "sc:Float", "x, y, width, height of the stand-in's face, px", true},
    {"head_pose", "sc:Float", "yaw, pitch, roll, degrees", true},
    {"gaze", "sc:Float", "yaw, pitch of head and eyes together, degrees", true},
    {"eyes", "sc:Float", "opening over width, image left and right", true},
    {"mouth", "sc:Float", "lip gap over width", false},
    {"expression", "sc:Text", "of seven classes, where the judge looked", false},
};

static json_t *record_set(const char *id, const char *what, const char *file_set, const column *columns, size_t count)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < count; i++) {
        char field[64];
        snprintf(field, sizeof field, "%s/%s", id, columns[i].name);
        json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:{s:s}, s:{s:s}}}", "@type", "cr:Field", "@id", field,
                                  "name", columns[i].name, "description", columns[i].what, "dataType", columns[i].type,
                                  "source", "fileSet", "@id", file_set, "extract", "column", columns[i].name);
        if (columns[i].array) {
            json_object_set_new(value, "isArray", json_true());
            json_object_set_new(value, "arrayShape", json_string("-1"));
        }
        json_array_append_new(fields, value);
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "@type", "cr:RecordSet", "@id", id, "name", id, "description", what,
                     "field", fields);
}

/* The parts, as the specification wants splits said. */
static json_t *split_set(const mdm_export *e)
{
    static const char *const urls[MDM_PARTS] = {"cr:TrainingSplit", "cr:ValidationSplit", "cr:TestSplit"};
    json_t *data = json_array();
    for (int p = 0; p < MDM_PARTS; p++)
        if (mdm_export_has_part(e, p))
            json_array_append_new(data,
                                  json_pack("{s:s, s:s}", "splits/name", mdm_part_names[p], "splits/url", urls[p]));
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:s}, s:[{s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}], s:o}", "@type",
                     "cr:RecordSet", "@id", "splits", "name", "splits", "dataType", "cr:Split", "key", "@id",
                     "splits/name", "field", "@type", "cr:Field", "@id", "splits/name", "name", "name", "dataType",
                     "sc:Text", "@type", "cr:Field", "@id", "splits/url", "name", "url", "dataType", "sc:URL", "data",
                     data);
}

/* A file with its checksum. */
static mdm_status add_file(json_t *to, const mdm_export *e, const char *id, const char *name, const char *encoding)
{
    char *path, hash[65];
    MDM_TRY(mdm_join_path(&path, e->folder, name));
    mdm_status status = mdm_sha256_file(hash, path);
    mdm_free(&path);
    if (status == MDM_OK)
        json_array_append_new(to,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "@type", "cr:FileObject", "@id", id, "name",
                                        id, "contentUrl", name, "encodingFormat", encoding, "sha256", hash));
    return status;
}

static json_t *file_set(const char *id, const char *includes, const char *encoding, const char *what)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "@type", "cr:FileSet", "@id", id, "name", id, "description",
                     what, "encodingFormat", encoding, "includes", includes);
}

static mdm_status distribution(json_t *out, const mdm_export *e)
{
    bool videos = false, stills = false, labels = false;
    for (size_t i = 0; i < e->count; i++) {
        const mdm_export_clip *clip = &e->clips[i];
        videos = videos || !clip->still, stills = stills || clip->still, labels = labels || clip->labels;
    }
    json_array_append_new(out, file_set("rows", "**/metadata.jsonl", "application/jsonlines", "a line a clip"));
    if (videos)
        json_array_append_new(out, file_set("videos", "**/*.mp4", "video/mp4", "the synthetic clips"));
    if (stills)
        json_array_append_new(out, file_set("pictures", "**/*.png", "image/png", "the synthetic pictures"));
    if (labels)
        json_array_append_new(out, file_set("labels", "labels/*/*.jsonl", "application/jsonlines",
                                            "a line for each face of each frame, measured on the result"));
    for (size_t i = 0; i < e->count; i++) {
        const mdm_export_clip *clip = &e->clips[i];
        char name[128];
        snprintf(name, sizeof name, "%s%s/%s", clip->still && videos ? "stills/" : "", mdm_part_names[clip->part],
                 clip->file);
        MDM_TRY(add_file(out, e, clip->file, name, clip->still ? "image/png" : "video/mp4"));
    }
    return MDM_OK;
}

/* Responsible AI, in the vocabulary's own words for the keys. */
static void add_rai(json_t *root)
{
    static const char *const said[][2] = {
        {"rai:dataCollection",
         "Recordings of people, each identity replaced by a synthetic stand-in with mmdm; clips that did not "
         "pass verification are left out."},
        {"rai:dataCollectionType", "Others"},
        {"rai:dataPreprocessingProtocol",
         "Faces replaced or covered, voice masked or removed, plates, text on screen, spoken "
         "personal data and metadata treated as the card says."},
        {"rai:dataAnnotationProtocol",
         "By machine: labels of faces were measured on the result by a face mesh network and an "
         "expression classifier; no label comes from the source."},
        {"rai:annotationsPerItem", "1"},
        {"rai:personalSensitiveInformation",
         "Age, gender and race are those of synthetic stand-ins, unless the card lists them as "
         "kept. Trying to find out who the recorded persons were is forbidden."},
        {"rai:dataBiases",
         "The stand-ins are drawn by a generator; attributes that were drawn anew follow stated priors, not the "
         "persons. Errors by group are in the audit where there were enough persons."},
        {"rai:dataLimitations",
         "Figures are the risk measured under named attackers, not a promise about others. Bodies, clothes, "
         "gait and places are as recorded unless the card says otherwise."},
        {"rai:dataUseCases", "Training and testing of models of faces and behaviour. Not for recognising persons."},
        {"rai:dataReleaseMaintenancePlan",
         "Up to the publisher; audit/report.json holds what was measured when it was made."},
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        json_object_set_new(root, said[i][0], json_string(said[i][1]));
}

/* What only the publisher knows. */
static void add_publisher(json_t *root, mdm_export *e)
{
    const mdm_exporting_settings *s = &e->settings->exporting;
    const struct {
        const char *key, *value, *option;
    } said[] = {
        {"url", s->url, "url"}, {"datePublished", s->published, "published"}, {"creator", s->creator, "creator"}};
    char cite[320];
    snprintf(cite, sizeof cite, "%s%s%s. Synthetic recordings, made with mmdm.", s->creator, s->creator[0] ? ": " : "",
             e->title);
    json_object_set_new(root, "citeAs", json_string(cite));
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        if (!said[i].value[0])
            mdm_export_leave_out(e, "%s, which Croissant asks for: only you know it: --%s", said[i].key,
                                 said[i].option);
        else if (strcmp(said[i].key, "creator") == 0)
            json_object_set_new(root, "creator",
                                json_pack("{s:s, s:s}", "@type", "sc:Organization", "name", s->creator));
        else
            json_object_set_new(root, said[i].key, json_string(said[i].value));
    }
}

mdm_status mdm_export_croissant(mdm_export *e)
{
    json_t *files = json_array(), *sets = json_array();
    mdm_status status = mdm_export_hf(e);
    if (status == MDM_OK)
        status = distribution(files, e);
    json_array_append_new(sets, split_set(e));
    json_array_append_new(
        sets, record_set("clips", "a record a clip", "rows", clip_columns, sizeof clip_columns / sizeof *clip_columns));
    for (size_t i = 0, done = 0; i < e->count && !done; i++)
        if (e->clips[i].labels)
            done = json_array_append_new(sets, record_set("faces", "a record a face of a frame", "labels", face_columns,
                                                          sizeof face_columns / sizeof *face_columns)) == 0;
    json_t *root = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:[s, s, s], s:o, s:o}", "@context", json_loads(context, 0, NULL), "@type",
        "sc:Dataset", "conformsTo", "http://mlcommons.org/croissant/1.1", "name", e->title, "description",
        "Recordings of people in which every person was replaced by a synthetic stand-in, with labels "
        "measured on the result.",
        "license", e->licence, "version", "1.0.0", "keywords", "synthetic", "anonymized", "faces", "distribution",
        files, "recordSet", sets);
    if (!root && status == MDM_OK)
        status = mdm_fail(MDM_ERR_INTERNAL, "croissant.json cannot be made");
    if (status == MDM_OK) {
        add_rai(root);
        add_publisher(root, e);
        status = mdm_export_json(e, "croissant.json", root);
    }
    json_decref(root);
    return status;
}
