/** Replays a transcript of a real ROM or stub: host bytes in, device bytes out, and what became of the flash. */
import { fromHex, toHex } from '#formats/bytes.ts';
import { ModelClock } from '#model-clock.ts';
import { encodeSlip } from '#sim/loader/slip.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { readFileSync } from 'node:fs';
import { stubSegments } from './stub-images.ts';

export interface Transcript {
  name: string;
  chip: 'esp32' | 'esp32c3';
  mode: 'rom' | 'stub' | 'boot';
  title: string;
  flashBefore?: string;
  flashChanges?: { after: string; changed: string[] }[];
  transcript: { dir: 'host' | 'device'; what?: string; hex: string }[];
}

export const loadTranscript = (file: string): Transcript =>
  JSON.parse(readFileSync(new URL(`../../fixtures/rom/${file}`, import.meta.url), 'utf8')) as Transcript;

const SYNC = fromHex(`000824000000000007071220${'55'.repeat(32)}`);
/** The straps that the emulator had when the transcripts were made. */
const STRAPS = { esp32: { download: 0xf, normal: 0x12 }, esp32c3: { download: 0x2, normal: 0x8 } };
/** How long silence must last before it counts as silence. */
const QUIET_MS = 15;
/** Longest that an answer may take. */
const PATIENCE_MS = 30_000;

export interface Step {
  host: string | undefined;
  what: string;
  /** Hex of what the device sent after this host entry, and before the next. */
  expected: string;
}

/** Host entries, each with what came back; the first may be without one. */
export function stepsOf({ transcript }: Transcript): Step[] {
  const steps: Step[] = [];
  for (const entry of transcript) {
    if (entry.dir === 'host') steps.push({ host: entry.hex, what: entry.what ?? '', expected: '' });
    else if (steps.length > 0) steps.at(-1)!.expected += entry.hex;
    else steps.push({ host: undefined, what: 'start', expected: entry.hex });
  }
  return steps;
}

export class RomBench {
  readonly clock = new ModelClock();
  readonly board: VirtualEsp32;
  #received = '';

  constructor({ chip, mode, flashBefore }: Transcript) {
    const flash = new Uint8Array(0x40_0000).fill(flashBefore?.startsWith('0x5a') ? 0x5a : 0xff);
    if (flashBefore?.includes('except')) {
      for (let at = 0x1_0000; at < 0x2_0000; at++) flash[at] = (at * 7 + (at >> 8) * 13) & 0xff;
    }
    this.board = new VirtualEsp32({
      chip,
      flash,
      clock: this.clock,
      boot: mode === 'boot' ? 'normal' : 'download',
      straps: STRAPS[chip],
      instantLine: true,
    });
    this.board.attach({ receive: (bytes) => (this.#received += toHex(bytes)), lost: () => undefined });
  }

  /** Puts the board where the transcripts start: reset and synchronised, or with a fresh stub. */
  async prepare(mode: Transcript['mode'], chip: Transcript['chip']): Promise<void> {
    this.board.pressReset();
    await this.clock.advance(50);
    if (mode !== 'boot') await this.send(encodeSlip(SYNC));
    if (mode === 'stub') await this.#uploadStub(chip);
    await this.clock.advance(50);
    this.take();
  }

  async send(bytes: Uint8Array): Promise<void> {
    this.board.hostWrites(bytes);
    await this.clock.advance(5);
  }

  /** What has come since the last call, as hex. */
  take(): string {
    const taken = this.#received;
    this.#received = '';
    return taken;
  }

  /** Sends the host's entry and waits as the recorder did: for what is expected, then for a short silence. */
  async play(step: Step): Promise<string> {
    if (step.host !== undefined) this.board.hostWrites(fromHex(step.host));
    const end = this.clock.now() + (step.expected === '' ? QUIET_MS : PATIENCE_MS);
    while (this.#received.length < step.expected.length && this.clock.now() < end) await this.clock.advance(1);
    await this.clock.advance(QUIET_MS);
    return this.take();
  }

  async #uploadStub(chip: Transcript['chip']): Promise<void> {
    for (const frame of stubSegments(chip)) await this.send(encodeSlip(frame));
  }
}

/** Unchanged bytes between two changed ones that belong to one run, as in the transcripts. */
const LARGEST_GAP = 16;

/** `FF 0x1000..0x1fff (4096)` for each run of changed bytes that are all FF, or all something else. */
export function describeChanges(before: Uint8Array, after: Uint8Array): string[] {
  const runs: { erased: boolean; from: number; to: number }[] = [];
  const [old, now] = [new Uint32Array(before.buffer), new Uint32Array(after.buffer)];
  for (let wordAt = 0; wordAt < now.length; wordAt++) {
    if (old[wordAt] === now[wordAt]) continue;
    for (let at = wordAt * 4; at < wordAt * 4 + 4; at++) {
      if (before[at] === after[at]) continue;
      const erased = after[at] === 0xff;
      const last = runs.at(-1);
      if (last && last.erased === erased && at - last.to <= LARGEST_GAP) last.to = at;
      else runs.push({ erased, from: at, to: at });
    }
  }
  return runs.map(
    ({ erased, from, to }) =>
      `${erased ? 'FF' : 'data'} 0x${from.toString(16)}..0x${to.toString(16)} (${to - from + 1})`,
  );
}

/** Whether the runs are those of the transcript, in which a long list is cut down to its first and last. */
export function sameChanges(actual: string[], expected: string[]): boolean {
  if (!expected.includes('…')) return actual.join() === expected.join();
  return actual[0] === expected[0] && actual.at(-1) === expected.at(-1);
}
