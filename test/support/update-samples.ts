/** Boards, releases, plans and runs as a station tells of them, made with the real state machine. */
import {
  type BoardView,
  type PlanView,
  type ReleaseView,
  type SlotView,
  type StationInfo,
  type UpdateView,
} from '#api.ts';
import { updateSlot } from '#formats/ota-slots.ts';
import { nextStep } from '#workflows/two-step-ota.ts';
import {
  type Candidate,
  choicesOf,
  initialState,
  type RunFacts,
  type UpdateEvent,
  type UpdateState,
} from '#workflows/update-state.ts';

const MIB = 0x10_0000;
const NOON = Date.UTC(2026, 4, 4, 12);
export const APP_SIZE = 1_380_000;
export const DATA_SIZE = 3_100_000;
export const OLD_DATA_SIZE = 2_900_000;

export const sampleStation = (change: Partial<StationInfo> = {}): StationInfo => ({
  version: '0.1.0',
  session: 'open',
  secureOrigin: true,
  boardsListener: {
    state: 'open',
    address: '192.168.1.5',
    port: 4601,
    networks: [{ address: '192.168.1.5', network: '192.168.1.0/24', interface: 'eth0' }],
  },
  ...change,
});

const OLD_SLOTS: SlotView[] = [
  { slot: 'PA', role: 'app', size: 3.875 * MIB, project: 'voice_box', version: '2.3.1' },
  { slot: 'PB', role: 'data', size: 4 * MIB, project: 'voices', version: '17', shown: 'voices-17.' },
];

export const sampleBoard = (change: Partial<BoardView> = {}): BoardView => ({
  id: 'b1',
  name: 'workshop-1',
  address: '192.168.1.57',
  mac: '7c:df:a1:00:11:3f',
  chip: 'esp32s3',
  from: 'provisioned',
  reach: 'online',
  seenAt: NOON,
  running: 'PA',
  slots: OLD_SLOTS,
  ...change,
});

export const sampleRelease = (change: Partial<ReleaseView> = {}): ReleaseView => ({
  id: 'r2',
  name: 'voice-box',
  version: '2.4.0',
  addedAt: NOON,
  builds: [
    {
      chip: 'esp32s3',
      app: { name: 'voice_box.bin', size: APP_SIZE, project: 'voice_box', version: '2.4.0' },
      data: { name: 'voices.bin', size: DATA_SIZE, tag: '18' },
    },
  ],
  notes: [],
  ...change,
});

export const oldRelease = (): ReleaseView =>
  sampleRelease({
    id: 'r1',
    version: '2.3.1',
    addedAt: NOON - 86_400_000 * 30,
    builds: [
      {
        chip: 'esp32s3',
        app: { name: 'voice_box.bin', size: APP_SIZE - 40_000, project: 'voice_box', version: '2.3.1' },
        data: { name: 'voices.bin', size: OLD_DATA_SIZE, tag: '17' },
      },
    ],
  });

const APP_NOW: Partial<SlotView> = { role: 'app', project: 'voice_box', version: '2.4.0' };
const DATA_NOW: Partial<SlotView> = { role: 'data', project: 'voice-box', version: '2.4.0' };

/** App into the other slot, then data into the slot of the old app. */
export function samplePlan(change: Partial<PlanView> = {}): PlanView {
  const board = change.board ?? sampleBoard();
  const target = updateSlot(board.running ?? 'PA');
  const before = board.slots;
  const bare = ({ slot, size }: SlotView): SlotView => ({ slot, role: 'unknown', ...(size !== undefined && { size }) });
  const between = before.map((view): SlotView => (view.slot === target ? { ...bare(view), ...APP_NOW } : view));
  const after = between.map((view): SlotView => (view.slot === target ? view : { ...bare(view), ...DATA_NOW }));
  return {
    board,
    release: { id: 'r2', name: 'voice-box', version: '2.4.0' },
    steps: ['app', 'data'],
    before,
    between,
    after,
    bytes: APP_SIZE + DATA_SIZE,
    wayBack: { name: 'voice-box 2.3.1', size: OLD_DATA_SIZE },
    objections: [],
    warnings: [],
    consents: [],
    ...change,
  };
}

export const sampleFacts = (change: Partial<RunFacts> = {}): RunFacts => ({
  steps: ['app', 'data'],
  from: 'PA',
  sizes: { app: APP_SIZE, data: DATA_SIZE, restore: OLD_DATA_SIZE },
  shown: { before: '31', data: '32', restore: '31' },
  trialMs: 0,
  ...change,
});

/** A state as these events lead to it. */
export const stateAfter = (events: readonly UpdateEvent[], facts = sampleFacts()): UpdateState =>
  events.reduce(nextStep, initialState(facts, '192.168.1.57'));

const CANDIDATES: Candidate[] = [
  { address: '192.168.1.61', mac: '7c:df:a1:00:11:3f', project: 'voice_box', version: '2.4.0', running: 'PB' },
  { address: '192.168.1.62', project: 'voice_box', version: '2.4.0', running: 'PB' },
];

const PREPARED: UpdateEvent[] = [{ event: 'start' }, { event: 'prepared', running: 'PA', file: 'k3' }];
const WAITING: UpdateEvent[] = [...PREPARED, { event: 'answered' }];
const served = (to: number): UpdateEvent => ({ event: 'served', ranges: [[0, to]] });
const APP_IN_PLACE: UpdateEvent[] = [...WAITING, served(APP_SIZE), { event: 'page', running: 'PB' }];
const DATA_WAITING: UpdateEvent[] = [
  ...APP_IN_PLACE,
  { event: 'prepared', running: 'PB', file: 'k4' },
  { event: 'answered' },
];
const BROKEN: UpdateEvent[] = [...WAITING, served(600_000), { event: 'expired', answers: true }];

/** Ways to every position of the state machine, and to every failure, by what it is. */
export const PATHS: Readonly<Record<string, readonly UpdateEvent[]>> = {
  ready: [],
  preparing: [{ event: 'start' }],
  asking: PREPARED,
  waiting: WAITING,
  downloading: [...WAITING, served(600_000)],
  arriving: [...WAITING, served(APP_SIZE)],
  searching: [...WAITING, served(APP_SIZE), { event: 'expired', answers: false }],
  picking: [
    ...WAITING,
    served(APP_SIZE),
    { event: 'expired', answers: false },
    { event: 'found', candidates: CANDIDATES },
  ],
  'step 2 preparing': APP_IN_PLACE,
  'step 2 downloading': [...DATA_WAITING, served(1_200_000)],
  'step 2 arriving': [...DATA_WAITING, served(DATA_SIZE)],
  complete: [...DATA_WAITING, served(DATA_SIZE), { event: 'page', running: 'PB', shown: '32' }],
  unreachable: [...PREPARED, { event: 'unanswered', delivered: false }],
  refused: [...WAITING, { event: 'expired', answers: true }],
  stalled: [...WAITING, served(600_000), { event: 'expired', answers: true, open: true }],
  'broken-off': BROKEN,
  'back-on-old': [...WAITING, served(APP_SIZE), { event: 'expired', answers: true }],
  gone: [...WAITING, served(600_000), { event: 'expired', answers: false }, { event: 'found', candidates: [] }],
  'other-slot': [{ event: 'start' }, { event: 'prepared', running: 'factory', file: '' }],
  stopped: [...WAITING, served(600_000), { event: 'stop' }],
  'step 2 broken-off': [...DATA_WAITING, served(900_000), { event: 'expired', answers: true }],
  'step 2 other-data': [...DATA_WAITING, served(DATA_SIZE), { event: 'expired', answers: true }],
  'restore downloading': [
    ...BROKEN,
    { event: 'decided', choice: 'restore' },
    { event: 'prepared', running: 'PA', file: 'k5' },
    { event: 'answered' },
    served(800_000),
  ],
  restored: [
    ...BROKEN,
    { event: 'decided', choice: 'restore' },
    { event: 'prepared', running: 'PA', file: 'k5' },
    { event: 'answered' },
    served(OLD_DATA_SIZE),
    { event: 'page', running: 'PA', shown: '31' },
  ],
  left: [...DATA_WAITING, served(900_000), { event: 'expired', answers: true }, { event: 'decided', choice: 'leave' }],
  cancelled: [{ event: 'start' }, { event: 'stop' }],
};

/** With rollback: the new app runs on trial. */
export const confirmingState = (): UpdateState => stateAfter(APP_IN_PLACE, sampleFacts({ trialMs: 60_000 }));

export function sampleUpdate(state: UpdateState, change: Partial<UpdateView> = {}): UpdateView {
  const { position } = state;
  return {
    id: 'u1',
    campaign: 'c1',
    place: 0,
    board: { id: 'b1', name: 'workshop-1', mac: '7c:df:a1:00:11:3f' },
    release: { id: 'r2', name: 'voice-box', version: '2.4.0' },
    state,
    choices: choicesOf(state),
    slots: OLD_SLOTS,
    before: OLD_SLOTS,
    startedAt: NOON,
    changedAt: NOON + 30_000,
    ...(position.at === 'ended' && { endedAt: NOON + 90_000 }),
    ...(position.at === 'downloading' && { rate: 84_000 }),
    ...change,
  };
}
