/* Files: capped reading, atomic writing (temporary, fsync, rename), folders, SHA-256. */
#ifndef MDM_BASE_FILE_H
#define MDM_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Reads a whole regular file of at most `max` bytes. Caller frees *data with mdm_free. NUL-terminated. */
mdm_status mdm_file_read(unsigned char **data, size_t *size, const char *path, size_t max);

/* A read-only mapping of a whole file. */
typedef struct mdm_mapping {
    const unsigned char *data;
    size_t size;
} mdm_mapping;
mdm_status mdm_map_file(mdm_mapping *out, const char *path);
void mdm_unmap_file(mdm_mapping *mapping);

/* Writes `path` atomically: a temporary beside it (mode 0600), fsync, rename, fsync of the folder.
 * Nothing is visible under `path` before it is complete. */
mdm_status mdm_file_write(const char *path, const void *data, size_t size);

/* The same, but only where there is no `path` yet; *made says whether there was none. Of several that try at once, on this
 * machine or over a network file system, one makes it. */
mdm_status mdm_file_write_new(bool *made, const char *path, const void *data, size_t size);

/* For writers that produce a file themselves (a muxer): a temporary name beside `path` (caller frees),
 * then commit (fsync + rename) or discard. */
mdm_status mdm_temp_name(char **temporary, const char *path);
mdm_status mdm_temp_commit(const char *temporary, const char *path);
void mdm_temp_discard(const char *temporary);

bool mdm_file_exists(const char *path);
bool mdm_file_exists_in(const char *folder, const char *name);
mdm_status mdm_file_size(uint64_t *size, const char *path);
mdm_status mdm_copy_file(const char *from, const char *to); /* atomic, never a link */

/* Makes a folder and its parents with `mode` (0700 for private ones). Existing is fine. */
mdm_status mdm_make_folder(const char *path, unsigned mode);

/* Makes `to`, which must not exist, a copy of the tree `from` whose files are the same files (links) where the file system can,
 * else copies. Temporaries (*.tmp) and symbolic links are left out. Files of either are afterwards replaced, never written into;
 * those in folders called *.run are, and are copied. */
mdm_status mdm_link_tree(const char *from, const char *to);

/* Removes a tree; regular files are overwritten with zeros first when `wipe`. Never follows links. Absent is fine. */
mdm_status mdm_remove_tree(const char *path, bool wipe);

/* Sorted names (no "." and ".."); `names` and its strings belong to the caller: mdm_names_free. */
mdm_status mdm_list_folder(char ***names, size_t *count, const char *path);
void mdm_names_free(char ***names, size_t count);

/* "a/b" from "a" and "b"; caller frees. */
mdm_status mdm_join_path(char **out, const char *folder, const char *name);

/* Lower-case hexadecimal SHA-256, 64 characters and a NUL. */
void mdm_sha256_hex(char out[65], const void *data, size_t size);
mdm_status mdm_sha256_file(char out[65], const char *path);

#endif
