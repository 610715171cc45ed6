/**
 * The cases. Time is real: a host's own timers cannot be made faster. So that `npm run bench` takes ten minutes at most, images are
 * small at 115200 and with 16 ms of latency, the peers read half a MiB only, and are left out where they do the same as without a
 * change, or the same eight times over. `--all` has everything, in full.
 */
import { type ClientName, CLIENTS } from './clients/clients.ts';
import { type ImageSpec, KIB, MIB } from './images.ts';
import { type Job } from './jobs.ts';
import { chipOn, type Line, type LineName, LINES } from './lines.ts';
import { type VirtualChip } from '../../support/releases.ts';

export interface FlashCase {
  name: string;
  title: string;
  line: Line;
  job: Job;
  /** At once, by one host process. */
  boards: number;
  clients: readonly ClientName[];
}

/** Bytes of an app that is called 1.2 MiB. */
const APP_SIZE = 0x13_3000;
const image = (kind: 'noise' | 'app' | 'mostly-blank', length: number): ImageSpec => ({ kind, length });

type MakeJob = (size: number | undefined, chip: VirtualChip) => { title: string; job: Job };

/** What is done, by name: in full, unless a case asks for another size. */
const JOBS = {
  open: () => ({ title: 'open to stub running', job: { kind: 'open' } }),
  app: (length = APP_SIZE) => ({ title: 'typical app', job: { kind: 'write', image: image('app', length) } }),
  noise: (length = MIB) => ({ title: 'incompressible', job: { kind: 'write', image: image('noise', length) } }),
  blank: (length = 4 * MIB) => ({
    title: 'mostly blank',
    job: { kind: 'write', image: image('mostly-blank', length) },
  }),
  provision: (app = APP_SIZE, chip) => ({
    title: 'two-slot provisioning',
    job: { kind: 'provision', chip, app, data: app >> 2 },
  }),
  'one-percent': (length = 4 * MIB) => ({
    title: '1 % of the sectors changed',
    job: { kind: 'write', image: image('noise', length), before: { kind: 'changed', length, share: 0.01 } },
  }),
  unchanged: (length = 2.5 * MIB) => ({
    title: 'nothing changed',
    job: { kind: 'write', image: image('noise', length), before: image('noise', length) },
  }),
  read: (length = 16 * MIB) => ({ title: 'read back', job: { kind: 'read', image: image('noise', length) } }),
} as const satisfies Record<string, MakeJob>;
type JobName = keyof typeof JOBS;

/** How a case differs from every client on one board. */
interface Difference {
  size?: number;
  boards?: number;
  clients?: readonly ClientName[];
}

function flashCase(jobName: JobName, lineName: LineName, difference: Difference = {}): FlashCase {
  const { size, boards = 1, clients = CLIENTS } = difference;
  const line = LINES[lineName];
  const { title, job } = (JOBS[jobName] as MakeJob)(size, chipOn(line));
  const name = [jobName, ...(boards > 1 ? [`${boards}-boards`] : []), lineName].join('-');
  return { name, title, job, line, boards, clients };
}

const OURS: readonly ClientName[] = ['twostep'];

const USUAL: readonly FlashCase[] = [
  flashCase('open', '921600'),
  flashCase('noise', '921600'),
  flashCase('noise', '115200', { size: 64 * KIB }),
  flashCase('noise', '921600-16ms', { size: 256 * KIB }),
  flashCase('noise', '2M'),
  flashCase('noise', 'usb'),
  flashCase('app', '921600'),
  flashCase('app', 'usb'),
  flashCase('blank', '921600'),
  flashCase('provision', '921600'),
  flashCase('one-percent', '921600', { clients: OURS }),
  flashCase('unchanged', '921600', { clients: OURS }),
  flashCase('read', 'usb', { clients: OURS }),
  flashCase('read', '921600', { size: 512 * KIB }),
  flashCase('noise', '921600', { boards: 8, clients: OURS }),
];

/** Every job on every line, in full. */
const ALL: readonly FlashCase[] = (Object.keys(LINES) as LineName[]).flatMap((line) => [
  ...(Object.keys(JOBS) as JobName[]).map((job) => flashCase(job, line)),
  flashCase('noise', line, { boards: 8 }),
]);

export const flashCases = (all: boolean): readonly FlashCase[] => (all ? ALL : USUAL);
