/** Texts for what a plan says: objections, warnings, reasons, what is kept and lost. */
import { type BoardItem, type FlashReason } from '#workflows/flash-plan.ts';
import { type Notice, type ObjectionCode, type WarningCode } from '#workflows/plan-notices.ts';
import { type Message, type Values, valuesOf } from './message.ts';
import { addressText, bytesText, countText, revisionText } from './units.ts';

type Text = (values: Values) => Message;

/** Every reason against a plan. */
export const OBJECTIONS: Record<ObjectionCode, Text> = {
  'wrong-chip': ({ t }) => ({
    what: `This release is for ${t('has')}, the board is an ${t('chip')}.`,
    todo: `Choose the build for ${t('chip')}.`,
  }),
  'image-wrong-chip': ({ t }) => ({
    what: `An image is built for ${t('found')}, the board is an ${t('chip')}.`,
    todo: `Choose the build for ${t('chip')}.`,
  }),
  'chip-revision': ({ n, t }) => ({
    what: `The image needs chip revision ${revisionText(n('needs'))} at ${t('bound')}, the board has ${revisionText(n('has'))}.`,
    todo: 'Build for this chip revision, or take a board with a fitting one.',
  }),
  'image-damaged': ({ t }) => ({
    what: `The image is damaged: ${t('message')}.`,
    todo: 'Build or download it again.',
  }),
  'secure-boot': ({ t }) => ({
    what: `Secure boot ${t('version')} is on: this chip only starts signed code, and some writes would make it unusable for good.`,
    todo: 'If the app of a release is signed with the key of this board, flash --signed writes it, with data and settings; boot loader and table stay. Otherwise update the board over the network.',
  }),
  'secure-boot-revokes': () => ({
    what: 'Secure boot is on, and one signature that is wrong makes this chip revoke a key for good.',
    todo: 'Update this board over the network with signed images.',
  }),
  'secure-boot-keeps': () => ({
    what: 'Secure boot is on: boot loader and partition table of this board have to stay as they are.',
    todo: 'Leave --partitions and --flash-header out.',
  }),
  'not-signed': ({ t }) => ({
    what: `The app for ${t('label')} carries no signature for secure boot ${t('version')}: this chip would not start it.`,
    todo: 'Give the signed file; builds name the other one -unsigned.',
  }),
  'flash-encryption': ({ t }) =>
    t('mode') === 'development'
      ? {
          what: 'Flash encryption (development) is on: plain data would be rubbish to this chip, and it would not start again.',
          todo: 'Write it with the tool that built the firmware (idf.py encrypted-flash), or update it over the network.',
        }
      : {
          what: 'Flash encryption (release) is on: plain data would be rubbish to this chip, and it would not start again.',
          todo: 'Update this board over the network; its firmware encrypts while it writes.',
        },
  'secure-download-mode': () => ({
    what: 'The chip is in secure download mode: nothing can be read back, so nothing could be verified, and what it holds cannot be kept.',
    todo: 'Update this board over the network.',
  }),
  'too-large': ({ n, t }) => ({
    what: `${t('file') || t('label') || 'The image'} has ${bytesText(n('size'))}, its place holds ${bytesText(n('room'))}.`,
    todo: 'Make it smaller, or give its slot more room with --partitions.',
  }),
  'data-refused': ({ t }) => ({
    what: `The data file cannot be used: ${t('message')}.`,
    todo: 'Change the file and try again.',
  }),
  'table-invalid': ({ t }) => ({
    what: `The partition table breaks a rule: ${t('message')}.`,
    todo: 'Correct the table.',
  }),
  'table-beyond-flash': ({ n }) => ({
    what: `The partition table ends at ${addressText(n('end'))}, the flash has only ${bytesText(n('flashSize'))}.`,
    todo: 'Take the build for this flash size, or --partitions two-slot for a table that fits.',
  }),
  'table-beyond-header': ({ n }) => ({
    what: `The table ends at ${addressText(n('end'))}, but the boot loader's header names a flash of ${bytesText(n('headerSize'))}: it would refuse the table.`,
    todo: 'Let the header be set to the real size with --flash-header size=detect.',
  }),
  'no-table': () => ({
    what: 'Neither the release nor the board has a partition table.',
    todo: 'Give the whole build folder, or a table with --partitions.',
  }),
  'release-has-no-table': () => ({
    what: 'The release brings no partition table.',
    todo: 'Leave --partitions out to keep the table of the board, or give a CSV file.',
  }),
  'no-room-for-two-slots': ({ n }) => ({
    what: `App (${bytesText(n('app'))}) and data (${bytesText(n('data'))}) do not fit two slots of this flash (${bytesText(n('flashSize'))}).`,
    todo: 'Make the data smaller, take a board with more flash, or flash without two slots: --partitions release.',
  }),
  'no-app-partition': () => ({ what: 'The partition table has no app partition.', todo: 'Correct the table.' }),
  'no-data-slot': ({ t }) => ({
    what: `There is no second slot for ${t('file')} in the partition table.`,
    todo: 'Use --partitions two-slot.',
  }),
  'no-otadata': ({ t }) => ({
    what: `The table has no otadata partition, so ${t('slot')} cannot be chosen to start.`,
    todo: 'Add a row "otadata, data, ota, , 0x2000", or use --partitions two-slot.',
  }),
  'no-bootloader': () => ({
    what: 'The release brings no boot loader, and the board has none for its chip.',
    todo: 'Give the whole build folder instead of the app alone.',
  }),
  'bootloader-overlaps-table': ({ n }) => ({
    what: `The boot loader ends at ${addressText(n('end'))}, behind the start of the partition table at ${addressText(n('tableOffset'))}.`,
    todo: 'Build with a larger partition table offset.',
  }),
  overlap: ({ n, t }) => ({
    what: `${t('first')} and ${t('second')} both claim the flash at ${addressText(n('at'))}.`,
    todo: 'Correct the table or the offsets of the release.',
  }),
  'header-flash-size': ({ n }) => ({
    what: `The boot loader's header asks for ${bytesText(n('headerSize'))} of flash, the board has ${bytesText(n('flashSize'))}.`,
    todo: 'Take the build for this flash size, or set the header with --flash-header size=detect.',
  }),
  'header-setting-unknown': ({ t }) => ({
    what: `The asked setting of the boot loader's header does not exist on the ${t('chip')}: ${t('message')}.`,
    todo: 'Choose another value.',
  }),
  'nvs-encrypted': ({ t }) => ({
    what: `The settings of the board (${t('label')}) are encrypted, so nothing can be added to them here.`,
    todo: 'Leave the Wi-Fi out (--wifi-store none) and keep the table as it is.',
  }),
  'nvs-unreadable': ({ t }) => ({
    what: `The settings of the board (${t('label')}) cannot be read whole: ${t('message')}.`,
    todo: 'Leave the Wi-Fi out (--wifi-store none) and keep the table as it is, so that they stay untouched.',
  }),
  'nvs-no-room': ({ n, t }) => ({
    what: `All settings together do not fit ${t('label')} (${bytesText(n('size'))}).`,
    todo: 'Give NVS more room in the table.',
  }),
  'nvs-would-be-lost': ({ n, t }) => ({
    what: `The new table has no place for the settings of the board (${t('label')}, ${countText(n('count'), 'entry', 'entries')}).`,
    todo: 'Add an NVS row of that name to the table, or use --partitions two-slot.',
  }),
  'nvs-move-unsafe': ({ n }) => ({
    what: `The settings of the board would be rewritten, and there is no safe place for a copy of ${bytesText(n('size'))} meanwhile.`,
    todo: 'Leave NVS where it is in the table.',
  }),
  'data-would-be-lost': ({ t }) => ({
    what: `The app would overwrite the data of this board${t('tag') ? ` ("${t('tag')}")` : ''} in ${t('label')}, and no data file is given to put them into the other slot.`,
    todo: 'Give the data with --data as well, or keep the orientation.',
  }),
  'table-offset-differs': ({ n }) => ({
    what: `The boot loader of this board looks for its table at ${addressText(n('board'))}, the release has it at ${addressText(n('release'))}.`,
    todo: 'Give the whole build folder, with its boot loader.',
  }),
  'no-nvs-partition': () => ({
    what: 'The partition table has no NVS partition for the Wi-Fi credentials.',
    todo: 'Add one, or leave the Wi-Fi out.',
  }),
  'wifi-refused': ({ t }) => ({
    what: `These Wi-Fi credentials cannot be right: ${t('message')}.`,
    todo: 'Correct them.',
  }),
};

/** Everything to be known of a plan. */
export const WARNINGS: Record<WarningCode, Text> = {
  'bootloader-size-raised': ({ n }) => ({
    what: `The flash size in the boot loader's header is set from ${bytesText(n('from'))} to ${bytesText(n('to'))}, because the table needs it; its digest is made anew.`,
  }),
  'bootloader-header-changed': () => ({
    what: 'The boot loader’s header is changed as asked; its digest is made anew.',
  }),
  'bootloader-header-suspect': ({ t }) => ({
    what: `The header of this boot loader may not fit the board: its build names ${t('mode')} at ${t('frequency')}.`,
    todo: 'If the board restarts again and again, flash with --flash-header repair.',
  }),
  'app-header-flash-size': ({ n }) => ({
    what: `The app's header names ${bytesText(n('headerSize'))} of flash, the board has ${bytesText(n('flashSize'))}. The boot loader's own header counts, unless the app was built to override it.`,
  }),
  'next-update-would-not-fit': ({ n }) => ({
    what: `App (${bytesText(n('app'))}) and data (${bytesText(n('data'))}) do not fit the other's slot (${bytesText(n('dataSlot'))} and ${bytesText(n('appSlot'))}): a two-step update, which swaps them, would not fit.`,
    todo: 'Use slots of equal size: --partitions two-slot.',
  }),
  'data-slot-too-large-to-map': ({ n }) => ({
    what: `The data slot has ${bytesText(n('size'))}; this chip maps at most ${bytesText(n('limit'))} at once, shared with the app's constants.`,
  }),
  'wifi-open': ({ t }) => ({ what: `${t('ssid')} is written as an open network, without a password.` }),
  'unknown-content': () => ({
    what: 'This board has no readable partition table. Its settings were looked for; whatever else lies in its flash is unknown and may be overwritten.',
  }),
  'wifi-ignored-by-firmware': () => ({
    what: 'This firmware is known to ignore Wi-Fi credentials in NVS: its own are compiled in.',
  }),
  'factory-kept': ({ n, t }) => ({
    what: `The app goes to ota_0. The factory partition stays (${t('content') === 'app' ? `app ${t('version')}`.trim() : t('content')}) and takes ${bytesText(n('size'))} that the two slots cannot use.`,
  }),
  'orientation-swapped': () => ({
    what: 'This board runs from PB and holds its data in PA, as a network update left it; it stays so.',
  }),
  'orientation-normalised': () => ({ what: 'This board ran from PB; the app goes back to PA and the data to PB.' }),
  'two-slot-table-proposed': () => ({
    what: 'A table with two slots is proposed for this board in place of the one of the release.',
    todo: 'To flash the release as it is: --partitions release.',
  }),
  'plain-release': () => ({ what: 'The table of the release has no two OTA slots: there is no place for data.' }),
  'release-nvs-unusable': ({ t }) => ({
    what: `The settings that the release brings (${t('label')}) are ${t('state')} and are not used.`,
  }),
  'secure-boot-app-only': ({ t }) => ({
    what: `Secure boot ${t('version')} is on: boot loader and partition table of the board stay. An app that is not signed with its key does not start, until a right one is written.`,
  }),
  'other-port-kind': () => ({ what: 'This build is meant for another kind of port (USB of the chip, or a bridge).' }),
  'release-part-left-out': ({ t }) => ({
    what: `${t('label')} of the release has no place in the new table and is left out.`,
  }),
  note: ({ t }) => ({ what: t('message') }),
};

const REASONS: Record<FlashReason, string> = {
  'from-release': 'from the release',
  'header-changed': 'from the release, header changed',
  'table-from-release': 'from the release',
  'table-from-csv': 'from your CSV',
  'table-proposed': 'proposed: two slots',
  'selects-app-slot': 'starts the app slot',
  'nvs-merged': 'your settings, merged with what is there',
  'nvs-moved': 'the board’s settings, at their new place',
  'nvs-new': 'new settings',
  'nvs-copy': 'safe copy while they are rewritten',
  'old-table-erased': 'erased: the new one is elsewhere',
  'data-packed': 'your data, packed',
  'from-backup': 'from the backup',
  'blank-in-backup': 'blank in the backup: erased',
};

const FATES: Record<BoardItem['why'], string> = {
  untouched: 'stays as it is',
  'carried-over': 'carried over',
  replaced: 'replaced by the new one',
  overwritten: 'overwritten',
  'not-in-new-table': 'not in the new table',
};

const TEXTS: Readonly<Record<string, Text>> = { ...OBJECTIONS, ...WARNINGS };

/** What an objection or a warning of a plan says. */
export function noticeMessage(notice: Notice<ObjectionCode | WarningCode>): Message {
  const text = TEXTS[notice.code];
  return text ? text(valuesOf(notice.values)) : { what: notice.code };
}

export const reasonText = (reason: FlashReason): string => REASONS[reason];

/** `app 2.3.1`, `12 settings`, `data "voice-2.4"`, and what becomes of it. */
export function itemText(item: BoardItem): { what: string; fate: string } {
  const { n, t } = valuesOf(item.values);
  const what = {
    settings: () => (t('state') === 'ok' ? countText(n('count'), 'setting') : `settings, ${t('state')}`),
    app: () => ['app', t('project'), t('version')].filter(Boolean).join(' '),
    data: () => (t('tag') ? `data "${t('tag')}"` : 'data'),
    unknown: () => 'content',
  }[item.content]();
  return { what, fate: FATES[item.why] };
}
