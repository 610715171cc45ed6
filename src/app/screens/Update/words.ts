/** Small texts of the Update screen. What codes of plan, run and station mean is said in `messages`. */
import { type BoardView, type OnFailure, type UpdateView } from '#api.ts';
import { chipByName } from '#formats/chips.ts';
import { type ErrorMessage, errorMessage } from '#messages/error-message.ts';
import { bytesText, countText } from '#messages/units.ts';
import { outcomeMessage, positionText, stationErrorMessage } from '#messages/update-messages.ts';
import { runBytes } from '../../state/updates/run-progress.ts';
import { isStationFailure } from '../../state/updates/station-client.ts';

export const REACH: Readonly<Record<BoardView['reach'], string>> = {
  online: 'online',
  silent: 'does not answer',
  other: 'something else answers there',
  unknown: 'not looked at yet',
};

export const ON_FAILURE_CHOICES: readonly { value: OnFailure; label: string; hint: string }[] = [
  { value: 'ask', label: 'Ask me', hint: 'The run waits for your decision, for as long as it takes.' },
  { value: 'retry', label: 'Try again, then leave it', hint: 'The same transfer once more, so many times.' },
  { value: 'restore', label: 'Put the old data back', hint: 'Where that is possible: only while the old app runs.' },
  { value: 'stop', label: 'Leave it', hint: 'The run ends; the board stays as it is.' },
];

/** `esp32s3` as people write it. */
export const chipTitle = (name: string): string => chipByName(name)?.title ?? name;

/** What it runs, as far as its page or its provisioning told. */
export function boardRunsText({ running, slots }: BoardView): string {
  if (running === undefined) return 'what it runs is not known';
  const app = slots.find(({ slot }) => slot === running);
  const what = [app?.project, app?.version].filter(Boolean).join(' ') || 'an app';
  return `runs ${what} from ${running}`;
}

/** The run of a board in a few words, for its row. */
export function runText(update: UpdateView): string {
  const { state, queued, campaign } = update;
  const { position, facts } = state;
  if (queued === 'waiting') return 'waits for its turn';
  if (queued === 'held') return `not begun: its campaign ${campaign === '' ? '' : 'was '}stopped`;
  if (position.at === 'ended') {
    return { complete: 'updated', restored: 'old data put back', left: 'left unfinished', cancelled: 'cancelled' }[
      position.outcome
    ];
  }
  if (position.at === 'deciding') return 'waits for your decision';
  if (position.at === 'picking') return 'which board is it?';
  if (!('transfer' in position)) return positionText(position);
  const number = facts.steps.indexOf(position.transfer as 'app' | 'data') + 1;
  const step = number === 0 ? 'Putting the old data back' : `Step ${number} of ${facts.steps.length}`;
  const { done, total } = runBytes(update);
  return total > 0 ? `${step} · ${Math.floor((100 * done) / total)} %` : step;
}

/** The one line at the end of a run that was complete. */
export function verdictText({ board, state, release }: UpdateView): string {
  const { what } = outcomeMessage('complete', state);
  return `${board.name}, ${[release.name, release.version].filter(Boolean).join(' ')}: ${what.replace(/\.$/, '')}`;
}

/** `14:03`, with the day when it was not today. */
export function timeText(at: number, now = new Date()): string {
  const then = new Date(at);
  const clock = then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (then.toDateString() === now.toDateString()) return clock;
  return `${then.toLocaleDateString([], { day: 'numeric', month: 'short', year: 'numeric' })}, ${clock}`;
}

/** `app 1.31 MiB, data 5.82 MiB`. */
export const buildText = ({ app, data }: { app: { size: number }; data?: { size: number } | undefined }): string =>
  [`app ${bytesText(app.size)}`, data ? `data ${bytesText(data.size)}` : 'no data'].join(', ');

export const boardsText = (count: number): string => countText(count, 'board');

/** Whatever went wrong in talking to the station, or with the files for it. */
export function stationError(error: unknown): ErrorMessage {
  if (!isStationFailure(error)) return errorMessage(error);
  const code = error.detail === undefined ? error.code : `${error.code}: ${error.detail}`;
  switch (error.code) {
    case 'station-silent':
      return {
        what: 'The station does not answer.',
        state: 'A run goes on without this page as long as the station runs.',
        todo: 'Look whether it still runs, and whether this computer is on its network.',
        code,
      };
    case 'station-absent':
      return { what: 'What answers is not a station.', todo: 'Start one, and open the page from it.', code };
    default:
      return { ...stationErrorMessage(error.code), code };
  }
}
