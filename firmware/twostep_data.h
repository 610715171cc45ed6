/*
 * Reads the data that `twostep data pack` made, in the slot where they lie or anywhere else in memory.
 *
 *   header  32 bytes, or none   (--header two-step | none)
 *   tag     16 bytes, or none   (--tag)
 *   payload one file as it is, or many with a table of names (--layout raw | assets)
 *
 * Plain C99, nothing is copied or allocated, and whatever the bytes are, no read leaves the range that was given. Only the last part,
 * which maps the slot, needs ESP-IDF (4.4 and later) and is there when ESP_PLATFORM is defined. firmware/README.md shows the use.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TWOSTEP_DATA_H
#define TWOSTEP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TWOSTEP_HEADER_SIZE 32
#define TWOSTEP_TAG_SIZE 16
/* Bytes of a name in the table of files, unless --name-length says otherwise. */
#define TWOSTEP_NAME_LENGTH 32

/* What a slot holds. Pointers lead into the bytes that were given. */
typedef struct {
    bool header;
    uint16_t chip_id; /* of the header: the chip that the data were packed for */
    char tag[TWOSTEP_TAG_SIZE + 1]; /* empty without a tag */
    const uint8_t *payload;
    size_t payload_size; /* to the end of the given bytes: how long a raw file is stands nowhere */
} twostep_data_t;

/* The files of an asset payload. */
typedef struct {
    const uint8_t *payload;
    uint32_t count;
    uint32_t checksum; /* as stored: low 16 bits of the sum of table and data */
    size_t length;     /* bytes of table and data */
    size_t name_length;
    const uint8_t *data; /* behind the table */
    size_t data_size;
} twostep_assets_t;

typedef struct {
    const char *name; /* ends with NUL */
    const uint8_t *bytes;
    size_t size;
    uint16_t width; /* of PNG and JPEG pictures, else 0 */
    uint16_t height;
} twostep_file_t;

static inline uint16_t twostep_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t twostep_u32(const uint8_t *at)
{
    return (uint32_t)twostep_u16(at) | (uint32_t)twostep_u16(at + 2) << 16;
}

/* Whether the bytes begin with the header of a data image: an image header that names a chip and is empty otherwise. */
static inline bool twostep_has_header(const uint8_t *bytes, size_t size)
{
    if (size < TWOSTEP_HEADER_SIZE || bytes[0] != 0xE9) {
        return false;
    }
    for (size_t at = 1; at < TWOSTEP_HEADER_SIZE; at++) {
        if (bytes[at] != 0 && at != 12 && at != 13) {
            return false;
        }
    }
    return true;
}

/* Whether nothing was written at the start of these bytes. */
static inline bool twostep_is_erased(const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size && at < TWOSTEP_TAG_SIZE; at++) {
        if (bytes[at] != 0xFF) {
            return false;
        }
    }
    return true;
}

/*
 * Finds the payload. The header is recognised; that there is a tag has to be known (`tagged`), because nothing tells it.
 * False when the slot holds something else: an app (after an update of the app the old one lies here), or nothing yet.
 */
static inline bool twostep_data_open(twostep_data_t *data, const void *slot, size_t size, bool tagged)
{
    const uint8_t *bytes = (const uint8_t *)slot;
    memset(data, 0, sizeof(*data));
    data->header = twostep_has_header(bytes, size);
    size_t start = data->header ? TWOSTEP_HEADER_SIZE : 0;
    size_t tag_size = tagged ? TWOSTEP_TAG_SIZE : 0;
    /* E9 without the rest of the header is an app. */
    if (size <= start + tag_size || (!data->header && (bytes[0] == 0xE9 || twostep_is_erased(bytes, size)))) {
        return false;
    }
    if (data->header) {
        data->chip_id = twostep_u16(bytes + 12);
    }
    memcpy(data->tag, bytes + start, tag_size);
    data->payload = bytes + start + tag_size;
    data->payload_size = size - start - tag_size;
    return true;
}

/*
 * Opens a payload of the layout assets. Pass TWOSTEP_NAME_LENGTH, or the number of --name-length.
 * False when table and data do not fit into the payload. The checksum is not looked at: twostep_assets_check does.
 */
static inline bool twostep_assets_open(twostep_assets_t *assets, const uint8_t *payload, size_t size, size_t name_length)
{
    memset(assets, 0, sizeof(*assets));
    if (size < 12 || name_length < 2) {
        return false;
    }
    size_t length = twostep_u32(payload + 8);
    uint32_t count = twostep_u32(payload);
    size_t stride = name_length + 12;
    if (length > size - 12 || count == 0 || count > length / stride) {
        return false;
    }
    assets->payload = payload;
    assets->count = count;
    assets->checksum = twostep_u32(payload + 4);
    assets->length = length;
    assets->name_length = name_length;
    assets->data = payload + 12 + count * stride;
    assets->data_size = length - count * stride;
    return true;
}

/* Whether table and data are as they were packed. Reads all of them: a matter of some milliseconds a megabyte. */
static inline bool twostep_assets_check(const twostep_assets_t *assets)
{
    uint32_t sum = 0;
    for (size_t at = 0; at < assets->length; at++) {
        sum += assets->payload[12 + at];
    }
    return (sum & 0xFFFF) == assets->checksum;
}

/* The file of that number, in the order of the C header that --c-header writes. False when there is none, or it is damaged. */
static inline bool twostep_assets_get(const twostep_assets_t *assets, uint32_t index, twostep_file_t *file)
{
    memset(file, 0, sizeof(*file));
    if (index >= assets->count) {
        return false;
    }
    const uint8_t *row = assets->payload + 12 + index * (assets->name_length + 12);
    const uint8_t *tail = row + assets->name_length;
    size_t size = twostep_u32(tail);
    size_t offset = twostep_u32(tail + 4);
    if (memchr(row, 0, assets->name_length) == NULL || assets->data_size < 2) {
        return false;
    }
    if (offset > assets->data_size - 2 || size > assets->data_size - 2 - offset) {
        return false;
    }
    if (assets->data[offset] != 0x5A || assets->data[offset + 1] != 0x5A) {
        return false;
    }
    file->name = (const char *)row;
    file->bytes = assets->data + offset + 2;
    file->size = size;
    file->width = twostep_u16(tail + 8);
    file->height = twostep_u16(tail + 10);
    return true;
}

/* The file of that name; names are those of --layout assets, with '/' for folders. */
static inline bool twostep_assets_find(const twostep_assets_t *assets, const char *name, twostep_file_t *file)
{
    for (uint32_t index = 0; index < assets->count; index++) {
        if (twostep_assets_get(assets, index, file) && strcmp(file->name, name) == 0) {
            return true;
        }
    }
    memset(file, 0, sizeof(*file));
    return false;
}

#ifdef ESP_PLATFORM

#include "esp_idf_version.h"
#include "esp_partition.h"
#if ESP_IDF_VERSION_MAJOR < 5
#include "esp_spi_flash.h"
#define TWOSTEP_MMAP_DATA SPI_FLASH_MMAP_DATA
typedef spi_flash_mmap_handle_t twostep_map_handle_t;
#else
#define TWOSTEP_MMAP_DATA ESP_PARTITION_MMAP_DATA
typedef esp_partition_mmap_handle_t twostep_map_handle_t;
#endif

/*
 * The slot that does not run: ota_1 while ota_0 runs, else ota_0. `running` is what esp_ota_get_running_partition() gives.
 * By subtype, never by label: labels differ from table to table. NULL when the table has no such slot.
 */
static inline const esp_partition_t *twostep_data_slot(const esp_partition_t *running)
{
    bool first_runs = running != NULL && running->subtype == ESP_PARTITION_SUBTYPE_APP_OTA_0;
    return esp_partition_find_first(ESP_PARTITION_TYPE_APP,
                                    first_runs ? ESP_PARTITION_SUBTYPE_APP_OTA_1 : ESP_PARTITION_SUBTYPE_APP_OTA_0, NULL);
}

/*
 * Maps `size` bytes of the slot from its start on (0: all of it) so that twostep_data_open can read them. Fails with the error of
 * esp_partition_mmap where the chip has not so many free pages: the ESP32 maps at most 4 MiB, shared with the app's own constants. Map
 * as much as the data need then. Release with twostep_data_unmap before the slot is written again.
 */
static inline esp_err_t twostep_data_map(const esp_partition_t *slot, size_t size, const void **bytes,
                                         twostep_map_handle_t *handle)
{
    if (slot == NULL || size > slot->size) {
        return ESP_ERR_INVALID_ARG;
    }
    return esp_partition_mmap(slot, 0, size == 0 ? slot->size : size, TWOSTEP_MMAP_DATA, bytes, handle);
}

static inline void twostep_data_unmap(twostep_map_handle_t handle)
{
#if ESP_IDF_VERSION_MAJOR < 5
    spi_flash_munmap(handle);
#else
    esp_partition_munmap(handle);
#endif
}

#endif /* ESP_PLATFORM */

#ifdef __cplusplus
}
#endif

#endif /* TWOSTEP_DATA_H */
