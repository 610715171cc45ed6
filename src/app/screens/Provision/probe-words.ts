/** What measuring will do and does, in words. */
import { AppSubtype } from '#formats/partition-table.ts';
import { addressText, bytesText } from '#messages/units.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { type SavedBlock } from '#workflows/probe-block.ts';
import { type ScratchPlace } from '#workflows/probe-scratch.ts';
import { type Phase } from '../../components/phase.ts';
import { type AskedBlock, PROBE_PHASES, type ProbePhase, type ProbePlan } from '../../state/probe-job.svelte.ts';

const TITLES: Readonly<Record<ProbePhase, string>> = {
  latency: 'Time its answers',
  save: 'Save what is in the block',
  measure: 'Erase, write, read, hash',
  ladder: 'Try higher speeds',
  restore: 'Put the block back',
  restart: 'Restart',
  connect: 'Connect again',
};

/** All steps while they go on; `detail`: what the one under way is at. */
export function probePhases({ rates, restarts }: ProbePlan, phase: ProbePhase, detail?: string): Phase[] {
  const at = PROBE_PHASES.indexOf(phase);
  const isSkipped = (id: ProbePhase): boolean =>
    (id === 'ladder' && rates.length === 0) || (!restarts && (id === 'restart' || id === 'connect'));
  return PROBE_PHASES.map((id, index) => {
    const state = isSkipped(id) ? 'skipped' : index < at ? 'done' : index > at ? 'waiting' : 'running';
    return { id, title: TITLES[id], state, ...(state === 'running' && detail !== undefined && { detail }) };
  });
}

/** `64 KiB at 0x3f0000 in PB`, or `outside every partition`. */
export function placeText({ offset, size }: ScratchPlace, { table }: Pick<BoardState, 'table'>): string {
  const inside = table?.partitions.find((row) => row.offset < offset + size && offset < row.offset + row.size);
  const slot = inside && { [AppSubtype.Ota0]: 'PA', [AppSubtype.Ota1]: 'PB' }[inside.subtype];
  const where = inside ? ` in ${slot ?? inside.name}` : table ? ', outside every partition' : '';
  return `${bytesText(size)} at ${addressText(offset)}${where}`;
}

/** A block of an earlier measurement, and the button that puts it back. */
export function askedWords({ block, found }: AskedBlock): { what: string; putBack: string } {
  const place = `The ${bytesText(block.size)} at ${addressText(block.offset)}`;
  const [wasBlank, before] = [block.before === undefined, 'what was there before'];
  if (found === 'test-bytes') {
    return {
      what: wasBlank
        ? `${place} hold test bytes; they were blank before.`
        : `${place} hold test bytes, or nothing, instead of ${before}. This browser keeps it until you decide.`,
      putBack: wasBlank ? 'Make them blank again' : 'Put it back',
    };
  }
  return {
    what: wasBlank
      ? `${place} were blank before. Since then something else was written there, which would be lost.`
      : `${place} were erased or written by something else since, and that would be lost. This browser keeps ${before} until you decide.`,
    putBack: wasBlank ? 'Make them blank all the same' : 'Put it back all the same',
  };
}

/** Of a block that its board does not take back. */
export const blockFileName = ({ offset = 0, mac = 'board' }: Partial<Pick<SavedBlock, 'offset' | 'mac'>>): string =>
  `${mac.replaceAll(':', '')}-${addressText(offset)}.bin`;

const rate = (baud: number): string => `${baud.toLocaleString('en').replaceAll(',', '\u202f')} baud`;

/** What of the speed of the line is tried. */
export function ratesText({ rates, baud }: Pick<ProbePlan, 'rates' | 'baud'>): string {
  const highest = rates.at(-1);
  if (baud === undefined) return 'as it is: the chip’s own USB has no other';
  return highest === undefined
    ? `at ${rate(baud)} only`
    : `from ${rate(baud)} up to ${rate(highest)}, as far as it works`;
}
