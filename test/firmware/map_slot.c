/* The part of twostep_data.h that needs ESP-IDF, against the few declarations in idf/: which slot is chosen, what is mapped. */
#include <assert.h>
#include <stdio.h>

#include "twostep_data.h"

static uint8_t flash[3][4096];
/* Labels say the opposite of the truth; nobody may look at them. */
static const esp_partition_t partitions[] = {
    {ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, 0x10000, 4096, "ota_1"},
    {ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_OTA_0, 0x20000, 4096, "app1"},
    {ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_OTA_1, 0x30000, 4096, "ota_0"},
};
static int maps;

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label)
{
    assert(label == NULL);
    for (size_t index = 0; index < 3; index++) {
        if (partitions[index].type == type && partitions[index].subtype == subtype) {
            return &partitions[index];
        }
    }
    return NULL;
}

esp_err_t esp_partition_mmap(const esp_partition_t *partition, size_t offset, size_t size, esp_partition_mmap_memory_t memory,
                             const void **out_ptr, esp_partition_mmap_handle_t *out_handle)
{
    assert(memory == ESP_PARTITION_MMAP_DATA && offset + size <= partition->size);
    *out_ptr = flash[partition - partitions] + offset;
    *out_handle = 7;
    maps++;
    return ESP_OK;
}

void esp_partition_munmap(esp_partition_mmap_handle_t handle)
{
    assert(handle == 7);
    maps--;
}

int main(void)
{
    const esp_partition_t *factory = &partitions[0], *first = &partitions[1], *second = &partitions[2];
    assert(twostep_data_slot(factory) == first);
    assert(twostep_data_slot(first) == second);
    assert(twostep_data_slot(second) == first);

    flash[2][0] = 0xE9;
    flash[2][12] = 9;
    memcpy(flash[2] + 32, "payload", 8);
    const void *bytes;
    twostep_map_handle_t handle;
    assert(twostep_data_map(NULL, 0, &bytes, &handle) == ESP_ERR_INVALID_ARG);
    assert(twostep_data_map(second, 4097, &bytes, &handle) == ESP_ERR_INVALID_ARG);
    assert(twostep_data_map(second, 0, &bytes, &handle) == ESP_OK);
    twostep_data_t data;
    assert(twostep_data_open(&data, bytes, second->size, false));
    printf("%u %s\n", data.chip_id, (const char *)data.payload);
    twostep_data_unmap(handle);
    assert(maps == 0);
    return 0;
}
