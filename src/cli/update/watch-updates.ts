/** Follows runs to their end, says what happens, and asks where something has to be decided. */
import { type StationEvent, type UpdateView } from '#api.ts';
import { sleep, systemClock } from '#clock.ts';
import { failedAttempt } from '#workflows/update-state.ts';
import { type CommandContext } from '../context.ts';
import { InputError } from '../input-error.ts';
import { type StationClient } from '../station-client.ts';
import { boardName, boardsLine, downloaded, isOver, updateLine } from './update-text.ts';

/** Milliseconds until a station that hung up is connected to again, and after which it is given up. */
const RECONNECT_MS = 1000;
const GIVE_UP_MS = 60_000;

/** Decisions that are left to people whatever was to be done after a failure. */
const needsSomebody = ({ state: { position } }: UpdateView): boolean =>
  position.at === 'picking' || (position.at === 'deciding' && position.failure === 'stopped');

export class UpdateWatch {
  readonly #client: StationClient;
  readonly #context: CommandContext;
  readonly #isOwn: boolean;
  readonly #updates: Map<string, UpdateView>;
  readonly #said = new Map<string, string>();
  readonly #asked = new Set<string>();
  #questions: Promise<void> = Promise.resolve();
  #isAsking = false;

  /** `isOwn`: nobody but this command decides at that station. */
  constructor(
    client: StationClient,
    started: readonly UpdateView[],
    { context, isOwn }: { context: CommandContext; isOwn: boolean },
  ) {
    this.#client = client;
    this.#context = context;
    this.#isOwn = isOwn;
    this.#updates = new Map(started.map((update) => [update.id, update]));
  }

  /** As they were told last. */
  get updates(): UpdateView[] {
    return [...this.#updates.values()];
  }

  /**
   * Until all runs are over.
   *
   * @throws {DOMException} `AbortError` when the user interrupts.
   * @throws {InputError} `station-lost` when the station is gone for good, or what it refuses.
   */
  async toEnd(): Promise<void> {
    const { signal } = this.#context;
    const reading = new AbortController();
    const failed = new Promise<never>((_resolve, reject) => {
      this.#onFailure = reject;
    });
    const all = AbortSignal.any([signal, reading.signal]);
    try {
      for (const update of this.#updates.values()) this.#take(update);
      const events = this.#events(all);
      while (!this.updates.every(isOver)) {
        const { value } = await Promise.race([events.next(), failed]);
        this.#takeEvent(value);
      }
    } finally {
      reading.abort();
    }
  }

  /** The station may be started anew meanwhile: each connection begins with everything. */
  async *#events(signal: AbortSignal): AsyncGenerator<StationEvent, never> {
    let heardAt = systemClock.now();
    for (;;) {
      try {
        for await (const event of this.#client.events(signal)) {
          yield event;
          heardAt = systemClock.now();
        }
      } catch (error) {
        if (!(error instanceof InputError) || error.code !== 'station-unreachable') throw error;
        if (systemClock.now() - heardAt > GIVE_UP_MS) throw stationLost(error);
      }
      await sleep(systemClock, RECONNECT_MS, signal);
    }
  }

  /** Ends what is not over; the boards stay as they are. */
  async stopAll(): Promise<void> {
    for (const update of this.updates.filter((one) => !isOver(one))) await this.#leave(update);
  }

  async #leave({ id }: UpdateView): Promise<void> {
    const stopped = await this.#client.postAnyway<UpdateView>(`updates/${id}/stop`);
    const after = stopped && failedAttempt(stopped.state);
    const left = after
      ? await this.#client.postAnyway<UpdateView>(`updates/${id}/decision`, { choice: 'leave', after })
      : stopped;
    if (left) this.#updates.set(id, left);
  }

  #onFailure: (error: Error) => void = () => undefined;

  #takeEvent(event: StationEvent): void {
    if (event.kind === 'update') this.#take(event.update);
    else if (event.kind === 'all') event.updates.forEach((update) => this.#take(update));
  }

  #take(update: UpdateView): void {
    if (!this.#updates.has(update.id)) return;
    this.#updates.set(update.id, update);
    const { output } = this.#context;
    const line = updateLine(update);
    if (this.#said.get(update.id) !== line && !isOver(update)) {
      this.#said.set(update.id, line);
      const { position } = update.state;
      output.say('update', { board: update.board, position, choices: update.choices, queued: update.queued }, line);
    }
    this.#showProgress(update);
    this.#askWhatNow(update);
  }

  #showProgress(update: UpdateView): void {
    const { output } = this.#context;
    if (this.#updates.size === 1) {
      const now = downloaded(update);
      if (now) output.progress(now.phase, now.done, now.total);
      else output.rest();
      return;
    }
    // A question stands where the line would go on changing.
    const line = this.#isAsking ? undefined : boardsLine(this.updates);
    if (line === undefined) output.rest();
    else output.status(line);
  }

  /** One question after the other; each state is asked about once. */
  #askWhatNow(update: UpdateView): void {
    const { position } = update.state;
    const { prompt } = this.#context;
    if (position.at !== 'deciding' && position.at !== 'picking') return;
    if (!prompt.isAnswered) {
      // At another station somebody may be before the page.
      if (this.#isOwn && needsSomebody(update)) void this.#leave(update);
      return;
    }
    const state = stateOf(update);
    if (this.#asked.has(state)) return;
    this.#asked.add(state);
    this.#questions = this.#questions
      .then(() => this.#ask(update))
      .catch((error: unknown) => this.#onFailure(error as Error));
  }

  /** Whether nothing has become of it meanwhile: a board may come back, and others may decide at the page. */
  #isOpen(update: UpdateView): boolean {
    const now = this.#updates.get(update.id);
    return now !== undefined && stateOf(now) === stateOf(update);
  }

  async #ask(update: UpdateView): Promise<void> {
    if (!this.#isOpen(update)) return;
    const { position } = update.state;
    const isPicking = position.at === 'picking';
    const answer = isPicking
      ? await this.#oneOf(
          `Which one is ${boardName(update.board)}?`,
          position.candidates.map(({ address }) => address),
        )
      : await this.#oneOf(`What now with ${boardName(update.board)}?`, update.choices);
    if (!this.#isOpen(update)) return;
    if (answer === undefined) return this.#leave(update);
    try {
      const decision = isPicking ? { picked: answer } : { choice: answer, after: failedAttempt(update.state) };
      await this.#client.post(`updates/${update.id}/decision`, decision);
    } catch (error) {
      // What became of it is told by the events.
      if (!(error instanceof InputError) || error.code !== 'choice-not-offered') throw error;
    }
  }

  /** Asks until one of them is typed; nothing at the end of the input. */
  async #oneOf(question: string, answers: readonly string[]): Promise<string | undefined> {
    const { output, prompt } = this.#context;
    this.#isAsking = true;
    output.rest();
    try {
      for (;;) {
        const typed = await prompt.ask(`${question} [${answers.join(', ')}] `);
        if (typed === undefined || answers.includes(typed)) return typed;
      }
    } finally {
      this.#isAsking = false;
    }
  }
}

const stateOf = ({ id, state: { position }, changedAt }: UpdateView): string =>
  `${id} ${changedAt} ${position.at} ${'attempt' in position ? position.attempt : ''}`;

const stationLost = (cause: InputError): InputError =>
  new InputError('station-lost', `The station is gone: ${cause.message}`, {
    todo: 'Start it again: it goes on where it was.',
    cause,
  });
