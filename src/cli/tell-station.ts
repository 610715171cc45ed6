/** `flash --station`: the station keeps what the board holds. A board that is written is written, whatever comes of that. */
import { type BoardView, type ProvisionedBoard } from '#api.ts';
import { type WrittenBoard } from '#workflows/written-board.ts';
import { type CommandContext } from './context.ts';
import { InputError } from './input-error.ts';
import { type StationClient } from './station-client.ts';

/** Milliseconds for an answer: nobody waits for a station that hangs. */
const ANSWER_MS = 5000;

/**
 * Says what came of it: `station` with the station's board, or `warning` with the code `station-not-told`.
 *
 * @param held `undefined` when no station could do anything with the board.
 * @throws {DOMException} `AbortError` when the user aborts.
 */
export async function tellStation(
  client: StationClient,
  held: WrittenBoard | undefined,
  { output, signal }: CommandContext,
): Promise<void> {
  if (!held) return warn('no-two-slots', 'it keeps boards with two slots, whose MAC can be read');
  const request: ProvisionedBoard = held;
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    const { id, name } = await client.post<BoardView>('boards/provisioned', request, limit);
    output.say('station', { board: id, name, mac: held.mac }, `The station knows what ${name} holds`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof InputError) warn(error.code, error.message);
    else warn('station-silent', 'it does not answer');
  }

  function warn(reason: string, why: string): void {
    const text = `The station does not know what the board holds: ${why}. The board has everything`;
    output.say('warning', { code: 'station-not-told', reason }, `${text} [station-not-told]`);
  }
}
