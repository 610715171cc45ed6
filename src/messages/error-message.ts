/** One entrance: whatever was thrown, as a message for people with its stable code. */
import { DeviceError } from '#device/device-error.ts';
import { FormatError } from '#formats/format-error.ts';
import { WorkflowError, type WorkflowErrorCode } from '#workflows/workflow-error.ts';
import { DEVICE_MESSAGES } from './device-messages.ts';
import { type Message, type Values, valuesOf } from './message.ts';
import { addressText, bytesText } from './units.ts';

export interface ErrorMessage extends Message {
  code: string;
}

const UNTOUCHED = 'Nothing on the board was changed.';
const WRITTEN = 'The flash holds what the plan wrote, verified.';

const listed = (...names: string[]): string => names.filter((name) => name !== '').join(', ');

const WORKFLOW: Record<WorkflowErrorCode, (values: Values) => Message> = {
  'plan-refused': () => ({ what: 'There are objections to this plan.', state: UNTOUCHED }),
  'verify-failed': ({ n, t }) => ({
    what: `${t('label')} at ${addressText(n('offset'))} reads back different after all was written.`,
    state: 'The board is not fit for use.',
    todo: 'Run the same again; if it fails at the same place, the flash chip is worn out.',
  }),
  'kept-damaged': ({ t }) => ({
    what: `A command arrived damaged at the board and changed what was to stay as it was: ${t('damaged')}${t('doubtful') ? `; perhaps also ${t('doubtful')}` : ''}.`,
    state: 'The board was not restarted.',
    todo: `Restore ${listed(t('damaged'), t('doubtful'))} from a backup, or have it written anew. A shorter cable or --baud 115200 makes it less likely.`,
  }),
  'kept-in-doubt': ({ t }) => ({
    what: `A command arrived damaged at the board and may have erased some of what was to stay as it was: ${t('doubtful')}.`,
    state: 'What it may have erased is blank, and may have been so before. The board was not restarted.',
    todo: `Restore ${t('doubtful')} from a backup, which writes only what differs; without one, start the board and see whether all is there.`,
  }),
  'boot-panic': ({ t }) => ({
    what: `The app crashed after its start${t('detail') ? ` (${t('detail')})` : ''}.`,
    state: WRITTEN,
    todo: 'Look at the console lines above; the crash is in the app, or it misses something on this board.',
  }),
  'boot-loop': ({ t }) => ({
    what: `The board restarts again and again${t('trouble') === 'brownout' ? ': its supply sags' : ''}.`,
    state: WRITTEN,
    todo:
      t('trouble') === 'brownout'
        ? 'Use another cable, socket or supply.'
        : 'If the build is from Arduino or PlatformIO, flash again with --flash-header repair; otherwise look at the console lines above.',
  }),
  'boot-no-app': () => ({
    what: 'The boot loader found no app that it could start.',
    state: WRITTEN,
    todo: 'Check that the build is for this chip and revision; the console lines above say why each slot was refused.',
  }),
  'boot-refused': ({ t }) => ({
    what: `The board cannot get past its boot loader (${t('event')}).`,
    state: WRITTEN,
    todo: 'Flash again with --flash-header size=detect; if the flash mode may be wrong, with mode=dio as well.',
  }),
  'boot-other-slot': ({ n }) => ({
    what: `The boot loader started the slot at ${addressText(n('found'))} instead of the one at ${addressText(n('expected'))}.`,
    state: WRITTEN,
    todo: 'The console lines above say why it refused the app that was written.',
  }),
  'boot-check-missed': ({ n, t }) => ({
    what: `The line that this release gives as its sign of life (${t('line')}) did not come within ${n('seconds')} seconds.`,
    state: WRITTEN,
    todo: 'Look at the console lines above.',
  }),
  'wifi-refused-by-network': ({ n }) => ({
    what: `The board is up, but the access point turns it away (reason ${n('reason')}): the password is wrong.`,
    state: WRITTEN,
    todo: 'Run the same again with the right password; everything else is kept.',
  }),
  'wifi-network-not-found': ({ n }) => ({
    what: `The board is up, but finds no network of that name (reason ${n('reason')}).`,
    state: WRITTEN,
    todo: 'Check the name, and that the network has 2.4 GHz; then run the same again.',
  }),
  'partition-not-found': ({ t }) => ({
    what: `There is no partition ${t('label')}.`,
    state: UNTOUCHED,
    todo: t('known') ? `There are: ${t('known')}.` : 'There is no partition table; name a range instead.',
  }),
  'range-beyond-flash': ({ n }) => ({
    what: `The flash has ${bytesText(n('flashSize'))}; what was asked for ends at ${addressText(n('end'))}.`,
    state: UNTOUCHED,
    todo: 'Name a part that lies inside the flash.',
  }),
  'backup-other-board': ({ t }) => ({
    what: `The backup that was begun is of ${t('backup')}, but ${t('board')} answers.`,
    state: UNTOUCHED,
    todo: 'Plug in the board that it was begun with, or begin anew in another file.',
  }),
  'backup-other-ranges': () => ({
    what: 'The backup that was begun is of other parts of the flash.',
    state: UNTOUCHED,
    todo: 'Ask for the same parts as before, or begin anew in another file.',
  }),
  'update-incomplete': ({ n }) => ({
    what: `${n('complete')} of ${n('boards')} boards have the new app and the new data.`,
    state: 'What each of the others holds stands above.',
    todo: 'Run the same for those again; what a board has already is not a problem.',
  }),
  'backup-unstable': ({ n }) => ({
    what: `The flash at ${addressText(n('offset'))} reads differently each time.`,
    state: UNTOUCHED,
    todo: 'Check the supply and what hangs on the pins of the flash, and try again with --baud 115200.',
  }),
};

/** The message for anything that a workflow throws, but a user's abort. */
export function errorMessage(error: unknown): ErrorMessage {
  if (error instanceof DeviceError) return { ...DEVICE_MESSAGES[error.code], code: error.code };
  if (error instanceof WorkflowError) return { ...WORKFLOW[error.code](valuesOf(error.values)), code: error.code };
  if (error instanceof FormatError) {
    const { file = '', line, column, offset } = error.place;
    // Some messages begin with the name themselves.
    const named = error.message.startsWith(`${file.split('/').at(-1)} `);
    const place = [
      file === '' || named ? undefined : file,
      line === undefined ? undefined : `line ${line}`,
      column === undefined ? undefined : `column ${column}`,
      offset === undefined ? undefined : `offset ${addressText(offset)}`,
    ].filter((part) => part !== undefined);
    return {
      what: `${place.length > 0 ? `${place.join(', ')}: ` : ''}${error.message}.`.replace(/\.\.$/, '.'),
      state: UNTOUCHED,
      code: error.code,
    };
  }
  const text = error instanceof Error ? error.message : String(error);
  return { what: `Something unexpected happened: ${text}`, code: 'unexpected' };
}

/** Whether it is the user's own abort, which is no error. */
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
