/**
 * What a plan has to say, as codes with their values. The words for people are made from these in `messages`;
 * a test holds that catalogue to be complete.
 */

/** The thing in the plan that a notice is about; the page shows it there. */
export type PlanSubject =
  'release' | 'chip' | 'bootloader' | 'partition-table' | 'otadata' | 'nvs' | 'app' | 'data' | 'wifi' | 'other';

/** Why a plan must not be carried out. */
export type ObjectionCode =
  /** The release has nothing for the chip of this board. */
  | 'wrong-chip'
  /** An image of the release is built for another chip than the release says, or than the board is. */
  | 'image-wrong-chip'
  /** The app or the boot loader asks for a newer or older chip revision. */
  | 'chip-revision'
  /** Checksum, SHA-256 or structure of an image is wrong. */
  | 'image-damaged'
  /** The chip runs signed code only, and nobody said that this release is signed for it. */
  | 'secure-boot'
  /** With secure boot a signature that is wrong makes the chip revoke a key for good. */
  | 'secure-boot-revokes'
  /** With secure boot, boot loader and table of the board stay: what was asked for would change one of them. */
  | 'secure-boot-keeps'
  /** The app carries no signature of the kind that the chip asks for. */
  | 'not-signed'
  /** The chip decrypts what it reads: plain data would be rubbish to it. */
  | 'flash-encryption'
  /** The boot loader in ROM lets nothing be read back, so nothing could be verified. */
  | 'secure-download-mode'
  /** Something is larger than the place where it goes. */
  | 'too-large'
  /** The data file is empty or cannot be packed so that it is safe. */
  | 'data-refused'
  /** The partition table breaks a rule of ESP-IDF. */
  | 'table-invalid'
  /** The table reaches beyond the end of the real flash. */
  | 'table-beyond-flash'
  /** The table reaches beyond the flash size in the boot loader's header: the boot loader would refuse it. */
  | 'table-beyond-header'
  /** Neither release nor board has a partition table. */
  | 'no-table'
  /** The release has no table, or one without the two slots that were asked for. */
  | 'release-has-no-table'
  /** A two-slot table for this flash, this app and this data cannot be made. */
  | 'no-room-for-two-slots'
  /** There is a table but no app partition in it. */
  | 'no-app-partition'
  /** Data were given, and the table has no second slot for them. */
  | 'no-data-slot'
  /** The slot cannot be chosen: the table has no otadata partition. */
  | 'no-otadata'
  /** The release brings no boot loader, and the board has none for this chip. */
  | 'no-bootloader'
  /** The boot loader reaches into the partition table. */
  | 'bootloader-overlaps-table'
  /** Two parts of the plan claim the same sectors. */
  | 'overlap'
  /** A boot loader header asks for more flash than there is. */
  | 'header-flash-size'
  /** The asked flash mode, frequency or size does not exist on this chip. */
  | 'header-setting-unknown'
  /** NVS of the board is encrypted, and it would have to be changed or moved. */
  | 'nvs-encrypted'
  /** NVS of the board cannot be read whole, and it would have to be changed or moved. */
  | 'nvs-unreadable'
  /** All the settings do not fit into the NVS partition of the new table. */
  | 'nvs-no-room'
  /** The new table has no place for settings that the board has. */
  | 'nvs-would-be-lost'
  /** Settings would be rewritten, and there is no place for a copy that survives an interruption. */
  | 'nvs-move-unsafe'
  /** The data on a swapped board would be overwritten by the app, and no data were given. */
  | 'data-would-be-lost'
  /** The boot loader of the board stays, and looks for its table at another offset than the release has it. */
  | 'table-offset-differs'
  /** Wi-Fi was given, and the table has no NVS partition. */
  | 'no-nvs-partition'
  /** Wi-Fi name or password breaks the rules of Wi-Fi. */
  | 'wifi-refused';

/** What the user should know, though it stops nothing. */
export type WarningCode =
  /** The flash size in the boot loader's header is set to the real one, because the new table needs it. */
  | 'bootloader-size-raised'
  /** Mode, frequency or size of the boot loader's header is changed as asked. */
  | 'bootloader-header-changed'
  /** The boot loader of this build is known for headers that do not fit; a repair is proposed. */
  | 'bootloader-header-suspect'
  /** The app's header names more flash than there is. Only apps built to override the boot loader's size mind. */
  | 'app-header-flash-size'
  /** App and data do not fit both slots: the next two-step update would not fit. */
  | 'next-update-would-not-fit'
  /** The chip cannot map a data slot of this size at once. */
  | 'data-slot-too-large-to-map'
  /** No password was given: the network is taken to be open. */
  | 'wifi-open'
  /** The board's table cannot be read, and its flash is not blank: what lies there cannot be named. */
  | 'unknown-content'
  /** The firmware is known not to read Wi-Fi credentials from NVS. */
  | 'wifi-ignored-by-firmware'
  /** A table with a factory row: it is kept, and that much of the flash is not available to the two slots. */
  | 'factory-kept'
  /** The app goes into ota_1 and the data into ota_0, as the board has them. */
  | 'orientation-swapped'
  /** The board was swapped; app and data go back to ota_0 and ota_1. */
  | 'orientation-normalised'
  /** The release's own table is replaced by a proposed one with two slots. */
  | 'two-slot-table-proposed'
  /** The release is flashed as it is: without a data slot the flash is not shared by two roles. */
  | 'plain-release'
  /** The NVS image of the release is damaged or encrypted: its entries are not used. */
  | 'release-nvs-unusable'
  /** Secure boot is on: the board keeps its boot loader and its table, and the user vouches for the app. */
  | 'secure-boot-app-only'
  /** The release has builds for this chip, but for another kind of port. */
  | 'other-port-kind'
  /** A part of the release has no place in the new table and is left out. */
  | 'release-part-left-out'
  /** Something that the release's own recogniser or the table's checks noticed. */
  | 'note';

export interface Notice<Code extends string = string> {
  code: Code;
  subject: PlanSubject;
  /** Numbers are bytes or addresses, strings are names; what each code carries is told by its text in `messages`. */
  values: Readonly<Record<string, string | number>>;
}

export type Objection = Notice<ObjectionCode>;
export type Warning = Notice<WarningCode>;

export const objection = (code: ObjectionCode, subject: PlanSubject, values: Objection['values'] = {}): Objection => ({
  code,
  subject,
  values,
});

export const warning = (code: WarningCode, subject: PlanSubject, values: Warning['values'] = {}): Warning => ({
  code,
  subject,
  values,
});
