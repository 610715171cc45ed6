/*
 * Prints what twostep_data.h finds in a file, one line a fact, bytes as a sum. Arguments: FILE, 0 or 1 (there is a tag), bytes of a
 * name field, and the names to look for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "twostep_data.h"

/* FNV-1a: touches every byte, and the test computes it too. */
static uint32_t digest(const uint8_t *bytes, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t at = 0; at < size; at++) {
        hash = (hash ^ bytes[at]) * 16777619u;
    }
    return hash;
}

static void print_file(const char *word, const twostep_file_t *file)
{
    printf("%s %s %zu %u %u %08x\n", word, file->name, file->size, file->width, file->height,
           (unsigned)digest(file->bytes, file->size));
}

static void print_data(const uint8_t *bytes, size_t size, int argc, char **argv)
{
    twostep_data_t data;
    if (!twostep_data_open(&data, bytes, size, argv[2][0] == '1')) {
        printf("nothing\n");
        return;
    }
    printf("data header=%d chip=%u tag=%s size=%zu %08x\n", data.header, data.chip_id, data.tag, data.payload_size,
           (unsigned)digest(data.payload, data.payload_size));

    twostep_assets_t assets;
    if (!twostep_assets_open(&assets, data.payload, data.payload_size, strtoul(argv[3], NULL, 10))) {
        return;
    }
    printf("assets %u %s\n", (unsigned)assets.count, twostep_assets_check(&assets) ? "right" : "wrong");
    twostep_file_t file;
    for (uint32_t index = 0; index < assets.count; index++) {
        if (twostep_assets_get(&assets, index, &file)) {
            print_file("file", &file);
        }
    }
    for (int arg = 4; arg < argc; arg++) {
        if (twostep_assets_find(&assets, argv[arg], &file)) {
            print_file("found", &file);
        } else {
            printf("missing %s\n", argv[arg]);
        }
    }
}

/* A file holds one image, or many: each behind its length, four bytes. They are copied, so that no read beyond one goes unnoticed. */
int main(int argc, char **argv)
{
    FILE *input = argc < 4 ? NULL : fopen(argv[1], "rb");
    if (input == NULL) {
        return 2;
    }
    uint8_t length[4];
    while (fread(length, 1, sizeof(length), input) == sizeof(length)) {
        size_t size = twostep_u32(length);
        uint8_t *bytes = malloc(size == 0 ? 1 : size);
        printf("image\n");
        if (bytes == NULL || fread(bytes, 1, size, input) != size) {
            return 3;
        }
        print_data(bytes, size, argc, argv);
        free(bytes);
    }
    fclose(input);
    return 0;
}
