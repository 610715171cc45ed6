/**
 * The two slots of a two-slot board by their names, and which one ESP-IDF's update goes into.
 *
 * PA is `ota_0` and PB `ota_1`, whatever their labels; over the network only labels can be seen, so the usual ones are known.
 */

export const SLOT_NAMES = ['PA', 'PB'] as const;
export type SlotName = (typeof SLOT_NAMES)[number];

/** Where an app can run from. */
export type RunningSlot = SlotName | 'factory';

/**
 * The slot that a download goes into: `esp_ota_get_next_update_partition(NULL)` takes the one behind the running slot, wrapping to the
 * lowest, and from factory the lowest (ESP-IDF components/app_update/esp_ota_ops.c). With two slots that is the other one.
 */
export const updateSlot = (running: RunningSlot): SlotName => (running === 'PA' ? 'PB' : 'PA');

/** Labels of ESP-IDF's own tables and of Arduino's. */
const LABELS: Readonly<Record<string, RunningSlot>> = {
  ota_0: 'PA',
  app0: 'PA',
  ota_1: 'PB',
  app1: 'PB',
  factory: 'factory',
};

/** The slot that a partition with one of the usual labels is; `undefined` for any other label. */
export const slotOfLabel = (label: string): RunningSlot | undefined => LABELS[label];
