/** Every transcript of a real mask ROM and of the real stub, byte for byte: see test/fixtures/README.md. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  describeChanges,
  loadTranscript,
  RomBench,
  sameChanges,
  stepsOf,
  type Step,
  type Transcript,
} from './support/rom-replay.ts';
import { dataRequest, wordRequest } from './support/stub-images.ts';
import { encodeSlip } from '#sim/loader/slip.ts';

const PANIC_TEXT = "Guru Meditation Error: Core 0 panic'ed (Load access fault)\r\n";
const FILES = readdirSync(new URL('../fixtures/rom/', import.meta.url)).filter(
  (file) => file.endsWith('.json') && file !== 'manifest.json',
);

/** The flash stayed from case to case of one run: what earlier cases had left where this one writes. */
const LEFT: Record<string, (flash: Uint8Array) => void> = {
  'esp32-rom-begin-words.json': (flash) => flash.fill(0xff, 0x1400, 0x2000),
  'esp32c3-rom-begin-words.json': (flash) => flash.fill(0xff, 0x1400, 0x2000),
  'esp32-rom-defl-multi.json': (flash) => flash.fill(0, 0x23_0000, 0x23_8000),
  'esp32-rom-defl-seq.json': (flash) => flash.fill(0, 0x23_6000, 0x23_a000),
  'esp32c3-rom-defl-end16k.json': (flash) => flash.fill(0xff, 0x3f_f800),
  'esp32-stub-erase-flash.json': (flash) =>
    flash.fill(0xff, 0, 0x1000).fill(0xff, 0x1_0000, 0x14_5000).fill(0xff, 0x3f_f000),
};

/** RAM stayed as well: the case that ran before, where it matters. */
const AFTER: Record<string, string> = {
  // Its compressed block without BEGIN is written where this one wrote last.
  'esp32c3-rom-data-nobegin.json': 'esp32c3-rom-defl-end16k.json',
};

/** What came before the transcript and was left out of it. */
const BEFORE: Record<string, (bench: RomBench) => Promise<void>> = {
  'esp32-stub-recover-c0.json': async (bench) => {
    const block = encodeSlip(dataRequest(0x03, 0, new Uint8Array(0x4000).fill(1)));
    const both = new Uint8Array(2 * block.length);
    both.set(block);
    both.set(block, block.length);
    await bench.send(encodeSlip(wordRequest(0x02, 0x8000, 2, 0x4000, 0x10_0000)));
    await bench.send(both);
    await bench.clock.advance(2000);
  },
};

/** Steps of which only so many characters are compared. */
function comparedLength(file: string, step: Step): number {
  // The register dump and the stack of the ROM's panic handler are the emulator's own state.
  if (file === 'esp32c3-rom-regs.json' && step.what === 'read 3ff5a000') return PANIC_TEXT.length;
  // The recording of a normal boot was ended somewhere in an endless loop.
  return file.includes('boot-blank') ? step.expected.length / 2 : Infinity;
}

function checkFlash(transcript: Transcript, snapshots: Uint8Array[]): void {
  const expected = transcript.flashChanges ?? [];
  let at = 0;
  let before = snapshots[0]!;
  for (const change of expected) {
    const start = at;
    const seen: string[] = [];
    for (; at < snapshots.length; at++) {
      const changes = describeChanges(before, snapshots[at]!);
      if (sameChanges(changes, change.changed)) break;
      seen.push(`${at}: ${changes.slice(0, 8).join(', ')}`);
    }
    expect(
      at,
      `${change.after}: ${change.changed.slice(0, 8).join(', ')}\nnot in, from ${start}:\n${seen.join('\n')}`,
    ).toBeLessThan(snapshots.length);
    before = snapshots[at]!;
  }
  if (expected.length > 0) expect(describeChanges(before, snapshots.at(-1)!)).toEqual([]);
}

describe.each(FILES)('%s', (file) => {
  const transcript = loadTranscript(file);
  test(transcript.title, async () => {
    const bench = new RomBench(transcript);
    LEFT[file]?.(bench.board.flash.bytes);
    if (AFTER[file] !== undefined) {
      const earlier = loadTranscript(AFTER[file]);
      await bench.prepare(earlier.mode, earlier.chip);
      for (const step of stepsOf(earlier)) await bench.play(step);
    }
    const steps = stepsOf(transcript);
    if (steps[0]?.host !== undefined)
      await bench.prepare(file.includes('stub-upload') ? 'rom' : transcript.mode, transcript.chip);
    await BEFORE[file]?.(bench);
    bench.take();
    const snapshots = [bench.board.snapshot()];
    for (const step of steps) {
      const received = await bench.play(step);
      const digits = 2 * comparedLength(file, step);
      expect(received.slice(0, digits), step.what).toBe(step.expected.slice(0, digits));
      const last = snapshots.at(-1)!;
      if (describeChanges(last, bench.board.flash.bytes).length > 0) snapshots.push(bench.board.snapshot());
    }
    await bench.clock.advance(20_000);
    snapshots.push(bench.board.snapshot());
    checkFlash(transcript, snapshots);
  });
});
