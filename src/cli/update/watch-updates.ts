/** Follows runs to their end, says what happens, and asks where something has to be decided. */
import { type StationEvent, type UpdateView } from '#api.ts';
import { sleep, systemClock } from '#clock.ts';
import { isAbort } from '#messages/error-message.ts';
import { type CommandContext } from '../context.ts';
import { type StationClient } from '../station-client.ts';
import { boardName, downloaded, updateLine } from './update-text.ts';

/**
 * @returns the runs as they ended.
 * @throws {DOMException} `AbortError` when the user interrupts; runs that are under way are stopped first, and left.
 */
export async function watchUpdates(
  client: StationClient,
  started: readonly UpdateView[],
  context: CommandContext,
): Promise<UpdateView[]> {
  const watch = new Watch(client, started, context);
  try {
    return await watch.toEnd();
  } catch (error) {
    if (isAbort(error)) await watch.stopAll();
    throw error;
  }
}

/** Milliseconds until a station that hung up is connected to again. */
const RECONNECT_MS = 1000;

const isOver = ({ state, queued }: UpdateView): boolean => state.position.at === 'ended' || queued === 'held';

/** Decisions that a station leaves to people whatever it was told to do after a failure. */
const needsSomebody = ({ state: { position } }: UpdateView): boolean =>
  position.at === 'picking' || (position.at === 'deciding' && position.failure === 'stopped');

class Watch {
  readonly #client: StationClient;
  readonly #context: CommandContext;
  readonly #updates: Map<string, UpdateView>;
  readonly #said = new Map<string, string>();
  readonly #asked = new Set<string>();
  #questions: Promise<void> = Promise.resolve();

  constructor(client: StationClient, started: readonly UpdateView[], context: CommandContext) {
    this.#client = client;
    this.#context = context;
    this.#updates = new Map(started.map((update) => [update.id, update]));
  }

  async toEnd(): Promise<UpdateView[]> {
    const { signal } = this.#context;
    const reading = new AbortController();
    const failed = new Promise<never>((_resolve, reject) => {
      this.#onFailure = reject;
    });
    const all = AbortSignal.any([signal, reading.signal]);
    try {
      for (const update of this.#updates.values()) this.#take(update);
      let events = this.#client.events(all);
      while (![...this.#updates.values()].every(isOver)) {
        const { value, done } = await Promise.race([events.next(), failed]);
        if (!done) this.#takeEvent(value);
        else {
          // The station hung up, perhaps to be started anew: the next connection begins with everything.
          await sleep(systemClock, RECONNECT_MS, signal);
          events = this.#client.events(all);
        }
      }
      return [...this.#updates.values()];
    } finally {
      reading.abort();
    }
  }

  async stopAll(): Promise<void> {
    for (const update of [...this.#updates.values()].filter((one) => !isOver(one))) await this.#leave(update);
  }

  /** The board stays as it is. */
  async #leave({ id, choices }: UpdateView): Promise<void> {
    const now = choices.includes('leave')
      ? choices
      : (await this.#client.postAnyway<UpdateView>(`updates/${id}/stop`))?.choices;
    if (now?.includes('leave')) await this.#client.postAnyway(`updates/${id}/decision`, { choice: 'leave' });
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
    const now = downloaded(update);
    if (now && this.#updates.size === 1) output.progress(now.phase, now.done, now.total);
    this.#askWhatNow(update);
  }

  /** One question after the other; each state is asked about once. */
  #askWhatNow(update: UpdateView): void {
    const { position } = update.state;
    const { prompt } = this.#context;
    if (position.at !== 'deciding' && position.at !== 'picking') return;
    if (!prompt.isAnswered) {
      if (needsSomebody(update)) this.#questions = this.#questions.then(() => this.#leave(update));
      return;
    }
    const state = `${update.id} ${position.at} ${position.transfer} ${position.attempt} ${update.changedAt}`;
    if (this.#asked.has(state)) return;
    this.#asked.add(state);
    this.#questions = this.#questions
      .then(() => this.#ask(update))
      .catch((error: unknown) => this.#onFailure(error as Error));
  }

  async #ask(update: UpdateView): Promise<void> {
    const { position } = update.state;
    if (position.at === 'picking') {
      const addresses = position.candidates.map(({ address }) => address);
      const picked = await this.#oneOf(`Which one is ${boardName(update.board)}?`, addresses);
      await this.#client.post(`updates/${update.id}/decision`, { picked });
      return;
    }
    const choice = await this.#oneOf('What now?', [...update.choices]);
    await this.#client.post(`updates/${update.id}/decision`, { choice });
  }

  /** Asks until one of them is typed; at the end of the input the last one is taken, which is the one that does nothing. */
  async #oneOf(question: string, answers: readonly string[]): Promise<string> {
    for (;;) {
      const typed = await this.#context.prompt.ask(`${question} [${answers.join(', ')}] `);
      const found = answers.find((answer) => answer === typed);
      if (found !== undefined) return found;
      if (typed === undefined) return answers.at(-1) ?? '';
    }
  }
}
