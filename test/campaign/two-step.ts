/**
 * Faults on board, network and station while a board is updated in two steps, at places that a seed chooses. Whatever happens: the run ends
 * complete, or in a state whose choices lead to complete or to the old data in their place; the board always has an app that starts; the
 * journal agrees with the board; and nothing is asked of it twice.
 */
import { sleep } from '#clock.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { seededRandom } from '#sim/faults.ts';
import { type FirmwareName } from '#sim/firmware/firmwares.ts';
import { NETWORK_FAULT_KINDS, type NetworkFault, randomNetworkFault } from '#sim/network/network-faults.ts';
import { choicesOf, type UpdateState } from '#workflows/update-state.ts';
import { TwoStepWorld } from './two-step-world.ts';

/** Beside those of the network: a supply that fails in a flash operation, a station that is killed, a board that is off, a user who stops. */
export const TWO_STEP_KINDS = [
  'none',
  ...NETWORK_FAULT_KINDS,
  'flash-power-cut',
  'station-killed',
  'killed-at-a-state',
  'board-off',
  'user-stops',
] as const;
export type TwoStepKind = (typeof TWO_STEP_KINDS)[number];

const FIRMWARES: readonly FirmwareName[] = ['seed', 'seed-4.4', 'seed-5.5', 'seed-5.5-rollback', 'seed-4.4.0'];
/** Modelled milliseconds in which a run with all its decisions has to end. */
const LIMIT = 4 * 3600_000;
const MAX_DECISIONS = 40;

export interface TwoStepPoint {
  seed: number;
  firmware: FirmwareName;
  kinds: readonly TwoStepKind[];
  /** What the user decides as long as faults are to come. */
  wish: 'forward' | 'back';
}

export interface TwoStepResult {
  /** `complete` or `restored`, or how it got stuck. */
  outcome: string;
  violations: string[];
}

export function twoStepPoint(seed: number, count = 1): TwoStepPoint {
  const random = seededRandom(seed ^ 0x5a5a);
  const firmware = FIRMWARES[Math.floor(seed / TWO_STEP_KINDS.length) % FIRMWARES.length] ?? 'seed';
  const first = TWO_STEP_KINDS[seed % TWO_STEP_KINDS.length] ?? 'none';
  const more = Array.from(
    { length: count - 1 },
    () => TWO_STEP_KINDS[Math.floor(random() * TWO_STEP_KINDS.length)] ?? 'none',
  );
  return { seed, firmware, kinds: [first, ...more], wish: random() < 0.7 ? 'forward' : 'back' };
}

/** Bytes that a run downloads when nothing goes wrong, and a little more, so that some faults come late or never. */
const DOWNLOADED = 340_000;
/** Flash operations of such a run: pages of both images and their sectors. */
const OPERATIONS = 420;
/** Milliseconds of such a run. */
const DURATION = 40_000;

export async function runTwoStepPoint(point: TwoStepPoint): Promise<TwoStepResult> {
  const random = seededRandom(point.seed);
  const network: NetworkFault[] = [];
  for (const kind of point.kinds) {
    if (isNetworkKind(kind)) network.push(randomNetworkFault(kind, { downloaded: DOWNLOADED }, random));
    // Another address is handed out when the board asks for one.
    if (kind === 'new-address') network.push(randomNetworkFault('restart', { downloaded: DOWNLOADED }, random));
  }
  const world = new TwoStepWorld({ firmware: point.firmware, network });
  for (const kind of point.kinds) if (!isNetworkKind(kind)) arm(kind, world, random);
  const violations: string[] = [];
  let outcome: string;
  try {
    outcome = await world.clock.run(() => drive(world, point, violations));
  } catch (error) {
    outcome = 'failed';
    violations.push(`the campaign itself failed: ${String(error)}`);
  }
  violations.push(...broken(world, outcome));
  return { outcome, violations };
}

const isNetworkKind = (kind: TwoStepKind): kind is NetworkFault['kind'] =>
  (NETWORK_FAULT_KINDS as readonly string[]).includes(kind);

/** Puts one fault somewhere into the run. */
function arm(kind: Exclude<TwoStepKind, NetworkFault['kind']>, world: TwoStepWorld, random: () => number): void {
  const below = (limit: number): number => Math.floor(random() * limit);
  const { clock } = world;
  const restartLater = (): void => {
    world.killStation();
    // Killed twice, it is started once.
    clock.after(below(90_000), () => world.server ?? world.startStation());
  };
  switch (kind) {
    case 'none':
      return;
    case 'flash-power-cut':
      return world.faults.add({ kind: 'power-cut', operation: below(OPERATIONS), share: random() });
    case 'station-killed':
      return void clock.after(6000 + below(DURATION), restartLater);
    case 'killed-at-a-state': {
      // With the request on its way, or not yet.
      const [entry, within] = [1 + below(10), below(20)];
      world.onJournal = (count) => {
        if (count === entry) clock.after(within, restartLater);
      };
      return;
    }
    case 'board-off':
      return void clock.after(6000 + below(DURATION), () => {
        world.board.powerCut();
        clock.after(1000 + below(400_000), () => world.board.powerOn());
      });
    case 'user-stops':
      return void clock.after(6000 + below(DURATION), () => world.run?.send({ event: 'stop' }));
  }
}

/** The station, and the user at it, until the run has ended. */
async function drive(world: TwoStepWorld, { wish }: TwoStepPoint, violations: string[]): Promise<string> {
  const { clock } = world;
  // The board is there before anybody looks at it.
  await sleep(clock, 6000);
  world.startStation();
  let decisions = 0;
  let decided: UpdateState | undefined;
  let asked: TwoStepWorld['run'];
  while (clock.now() < LIMIT) {
    await sleep(clock, 500);
    const state = world.run?.state;
    if (!state) continue;
    // A station that was killed over an answer asks again.
    if (asked !== world.run) decided = undefined;
    asked = world.run;
    const { position } = state;
    if (position.at === 'ended') return position.outcome;
    if (position.at === 'picking' && decided !== state) {
      decided = state;
      world.run?.send({ event: 'picked', address: world.wifi.address });
    }
    if (position.at !== 'deciding' || decided === state) continue;
    decided = state;
    const choices = choicesOf(state);
    if (!choices.includes('retry')) violations.push(`no way on after ${position.failure}`);
    if (++decisions > MAX_DECISIONS) return `stuck at ${position.transfer} ${position.failure}`;
    await sleep(clock, 1000);
    const back = wish === 'back' && choices.includes('restore');
    const choice = back ? 'restore' : position.failure === 'gone' && decisions % 2 === 1 ? 'look' : 'retry';
    world.run?.send({ event: 'decided', choice });
  }
  return 'not over in time';
}

function broken(world: TwoStepWorld, outcome: string): string[] {
  const found: string[] = [];
  const { old, next } = world;
  if (outcome === 'complete') {
    if (world.bootSlot !== 'PB') found.push('complete, but PA boots');
    if (!world.slotHolds('PB', next.app)) found.push('complete, but PB does not hold the new app');
    if (!world.slotHolds('PA', next.data)) found.push('complete, but PA does not hold the new data');
  } else if (outcome === 'restored') {
    if (world.bootSlot !== 'PA') found.push('restored, but PB boots');
    if (!world.slotHolds('PA', old.app)) found.push('restored, but PA does not hold the old app');
    if (!world.slotHolds('PB', old.data)) found.push('restored, but PB does not hold the old data');
  } else found.push(`ended ${outcome}`);
  if (!bootable(world)) found.push('the board has no app that starts');
  for (const [file, count] of world.asked) if (count > 1) found.push(`asked ${count} times for ${file}`);
  const { slots } = world.journal.at(-1)?.state ?? {};
  const files = { 'old-app': old.app, 'old-data': old.data, 'new-app': next.app, 'new-data': next.data };
  for (const slot of ['PA', 'PB'] as const) {
    const content = slots?.[slot];
    const file = content && content in files ? files[content as keyof typeof files] : undefined;
    if (file && !world.slotHolds(slot, file))
      found.push(`the journal has ${content ?? ''} in ${slot}, the board has not`);
  }
  return found;
}

function bootable(world: TwoStepWorld): boolean {
  const { next } = world;
  const length = Math.max(next.app.length, next.data.length);
  return verifyImage(world.slot(world.bootSlot, length), { chipId: 9 }).ok;
}
