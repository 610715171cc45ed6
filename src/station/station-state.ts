/** What the station says of itself, and the listener for boards: open only while the user wants it. */
import { type StationInfo } from '#api.ts';
import { type Clock } from '#clock.ts';
import { type BoardFiles } from './board-files/board-files.ts';
import { type StationEvents } from './events.ts';
import { Refusal } from './refusal.ts';
import { type SettingsStore } from './store/settings-store.ts';

export interface StationStateOptions {
  version: string;
  files: BoardFiles;
  settings: SettingsStore;
  events: StationEvents;
  clock: Clock;
  /** Whether a run needs the listener. */
  isNeeded: () => boolean;
  log: (line: string) => void;
}

/** Milliseconds that the listener stays open without a run that needs it. */
const LINGER = 300_000;

/** What the station says depends on who asks. */
export type Standing = Pick<StationInfo, 'session' | 'secureOrigin'>;

export class StationState {
  readonly #options: StationStateOptions;
  #cancelClosing: (() => void) | undefined;

  constructor(options: StationStateOptions) {
    this.#options = options;
  }

  info(standing: Standing): StationInfo {
    const { version, files } = this.#options;
    return { version, ...standing, boardsListener: files.state };
  }

  /** @throws {Refusal} `listener-failed`. */
  async openListener(): Promise<void> {
    const { files, settings, events } = this.#options;
    try {
      await files.open();
    } catch (cause) {
      throw new Refusal('listener-failed', files.state.detail, { cause });
    } finally {
      events.station();
    }
    if (files.state.state !== 'open') throw new Refusal('listener-failed', files.state.detail);
    settings.set('boards-listener', 'open');
    this.closeLater();
  }

  /** It is open for updates only: without one it closes after a while. */
  closeLater(): void {
    const { clock, files, isNeeded, log } = this.#options;
    this.#cancelClosing?.();
    if (files.state.state === 'closed') return;
    this.#cancelClosing = clock.after(LINGER, () => {
      if (!isNeeded())
        void this.closeListener().catch((error: unknown) => log(`The listener for boards: ${String(error)}`));
    });
  }

  /** @throws {Refusal} `in-use` while a board may be downloading. */
  async closeListener(): Promise<void> {
    const { files, settings, events, isNeeded } = this.#options;
    if (isNeeded()) throw new Refusal('in-use', 'An update that is not over needs it');
    this.#cancelClosing?.();
    settings.set('boards-listener', 'closed');
    await files.close();
    events.station();
  }

  /** After a restart: runs go on, and the user had agreed. */
  async resumeListener(): Promise<void> {
    const { settings, isNeeded, log } = this.#options;
    if (settings.get('boards-listener') !== 'open') return;
    if (!isNeeded()) return settings.set('boards-listener', 'closed');
    await this.openListener().catch((error: unknown) => log(`The listener for boards: ${String(error)}`));
  }

  /** Without it nobody comes in any more; what the user agreed to holds for the next start. */
  async close(): Promise<void> {
    this.#cancelClosing?.();
    await this.#options.files.close();
  }
}
