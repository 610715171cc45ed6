/** Texts for what the plan of a network update says: objections, warnings, and what has to be agreed to. */
import { type UpdateNotice, type UpdateNoticeCode } from '#workflows/update-notices.ts';
import { type Message, type Values, valuesOf } from './message.ts';
import { OBJECTIONS, WARNINGS } from './plan-messages.ts';
import { bytesText } from './units.ts';

/** Every notice of such a plan. */
export const UPDATE_NOTICES: Record<UpdateNoticeCode, (values: Values) => Message> = {
  'wrong-chip': OBJECTIONS['wrong-chip'],
  'image-wrong-chip': OBJECTIONS['image-wrong-chip'],
  'chip-revision': OBJECTIONS['chip-revision'],
  'image-damaged': OBJECTIONS['image-damaged'],
  'data-refused': OBJECTIONS['data-refused'],
  'too-large': ({ n, t }) => ({
    what: `${t('file') || t('label') || 'The app'} has ${bytesText(n('size'))}, the slot where it would go holds ${bytesText(n('room'))}.`,
    todo: 'Make it smaller, or give the slots more room over the serial port: over the network they stay as they are.',
  }),
  'board-silent': ({ t }) => ({
    what: `No board answers at ${t('address')}.`,
    todo: 'Look whether it has power and is on the network, and whether its address has changed.',
  }),
  'board-page-unknown': ({ t }) => ({
    what: `Something answers at ${t('address')}, but not with the page of a board with two slots.`,
    todo: 'Check the address; if it is the board, its firmware cannot be updated in two steps.',
  }),
  'running-slot-unknown': () => ({
    what: 'The page of the board does not tell which slot runs: its table has labels other than ota_0 and ota_1.',
    todo: 'Update this board over its serial port, with a table that has these labels.',
  }),
  'no-index-page': () => ({
    what: 'The firmware of this release has no page that tells how an update went.',
    todo: 'Update the board over its serial port, or let the firmware answer GET / as the demo does.',
  }),
  'chip-unknown': ({ t }) => ({
    what: `The release has builds for ${t('has')}, and which of these chips the board has is not known.`,
    todo: 'Say which chip the board has.',
  }),
  'no-two-slots': () => ({
    what: 'The partition table of the release has no two OTA slots.',
    todo: 'Take a release that is made for two slots.',
  }),
  'app-fills-slot': ({ n }) => ({
    what: `The app fills its slot of ${bytesText(n('size'))} to the last byte, and the firmware that runs erases one sector more than it has: the download would fail at its end.`,
    todo: 'Make the app smaller by one byte or more, or update the board over its serial port.',
  }),
  'data-wrong-form': ({ t }) => ({
    what:
      t('header') === 'two-step'
        ? `${t('name')} has no two-step header, and the firmware refuses data without one.`
        : `${t('name')} begins with a two-step header, and the firmware takes data without one.`,
    todo: 'Give the plain payload with its release: it is packed as the firmware wants it.',
  }),
  'data-could-boot': ({ t }) => ({
    what: `The board could take ${t('name')} for an app and start it: ${t('message')}.`,
    todo: 'Pack the data anew.',
  }),
  'no-data': () => ({ what: 'Only data are to be sent, and the release has none.', todo: 'Give a data file.' }),
  'url-too-long': ({ n }) => ({
    what: `The URL of the download has ${n('length')} characters, the firmware takes ${n('limit')}.`,
    todo: 'Let the station listen for boards at a shorter address.',
  }),
  'no-address-for-board': ({ t }) => ({
    what: `The computer of the station has no address in the network of the board${t('address') && ` (${t('address')})`}, or lets boards in at another one only: the board could not fetch anything from it.`,
    todo: 'Bring both into one network, or start the station with another --boards-listen.',
  }),
  'boards-listener-closed': () => ({
    what: 'The listener from which boards fetch their files is closed.',
    todo: 'Agree that it is opened for this update.',
  }),
  'update-in-progress': () => ({
    what: 'Another update of this board is not over.',
    todo: 'Let it end, or decide how it goes on.',
  }),
  'no-data-in-release': () => ({
    what: 'The release has no data. The new app goes where the data are; the old app stays where it is, and the board has no data then.',
  }),
  'same-version': ({ t }) => ({ what: `The board runs version ${t('version')} already.` }),
  'slot-sizes-assumed': ({ n }) => ({
    what: `How large the slots of the board are is not known; those of the release are taken: PA ${bytesText(n('PA'))}, PB ${bytesText(n('PB'))}.`,
  }),
  'slot-sizes-unknown': () => ({
    what: 'How large the slots of the board are is not known: whether app and data fit is seen when the board downloads them.',
  }),
  'data-look-alike': () => ({
    what: 'Old and new data begin with the same bytes, and the board shows no more of them. That the new ones are in place is known only by the bytes that were fetched.',
    todo: 'Give each version of the data a tag of its own.',
  }),
  'running-firmware-unknown': () => ({
    what: 'What the firmware that runs can do is not known. It is taken for that of the two-step demo.',
  }),
  note: WARNINGS.note,
  'no-way-back': ({ t }) => ({
    what:
      t('step') === 'data'
        ? 'The data that the board has now are not at hand. If the new ones do not arrive, they cannot be put back, and the app runs without data.'
        : 'The data that the board has now are not at hand. If the new app does not arrive, they cannot be put back, and the old app runs without data.',
    todo: 'Add the release that they come from, or say yes to going on without a way back.',
  }),
  'other-project': ({ t }) => ({
    what: `The board runs ${t('runs')}, the release is ${t('release')}: it becomes another product.`,
    todo: 'Check that this is the right board, or say yes.',
  }),
};

/** What an objection, a warning or a consent of an update's plan says. */
export const updateNoticeMessage = ({ code, values }: UpdateNotice): Message => UPDATE_NOTICES[code](valuesOf(values));
