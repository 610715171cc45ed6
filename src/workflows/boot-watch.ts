/**
 * Whether a board came up, from what it prints after a restart. A pure transition function decides; the runner below feeds it.
 * Silence is not failure: boot loaders may be quiet, crystals of 26 MHz garble the first lines, and some consoles are on USB.
 */
import { type BootEvent } from '#device/boot-lines.ts';
import { type BoardConsole, type ConsoleLine } from '#device/console.ts';
import { type BootCheck, type FlashPlan } from './flash-plan.ts';
import { WorkflowError, type WorkflowErrorCode } from './workflow-error.ts';

/** What a good start looks like for this plan. */
export interface BootExpectation {
  check: BootCheck;
  /** Flash offset of the app that must be the one to run. */
  appOffset?: number;
  /** Wi-Fi credentials were written: whether the board gets onto the network is watched too. */
  wifi?: boolean;
}

export interface BootFailure {
  code: WorkflowErrorCode;
  values: Readonly<Record<string, string | number>>;
}

export interface BootVerdict {
  /**
   * `quiet`: five seconds without panic or reset, and nothing better: probably running. `unseen`: the loader spoke over USB-OTG,
   * which belongs to the app after the restart, and the app has no port there.
   */
  by: 'boot-check' | 'loaded-app' | 'quiet' | 'unseen';
  /** Flash offset of the app that the boot loader said it started. */
  appOffset?: number;
  /** Address on the network, when the board told it. */
  address?: string;
}

/** All that is remembered between two lines. Times are milliseconds since just before the reset. */
export interface BootState {
  phase: 'starting' | 'up' | 'done' | 'failed';
  /** Resets seen, the one that we made included. */
  resets: number;
  /** Time of the last reset, or 0. */
  since: number;
  by?: BootVerdict['by'];
  appOffset?: number;
  address?: string;
  /** Since when it is up. */
  upAt?: number;
  /** Times that the network turned the board away, and the last reason. */
  refusals: number;
  refusal?: number;
  /** What the boot loader complained about before it gave up. */
  trouble?: BootEvent;
  failure?: BootFailure;
}

export const BOOT_START: BootState = { phase: 'starting', resets: 0, since: 0, refusals: 0 };

/** A board that runs this long after "Loaded app" has not crashed at its start. */
const SETTLE_MS = 2000;
/** Restarts, beside our own, after which it is a loop. */
const LOOP_RESETS = 3;
/** How long a board that says nothing of Wi-Fi is given to say that it is on the network. */
const NETWORK_SILENT_MS = 8000;
/** How long one that tries is given: a join with DHCP takes 2 to 10 s, and the first try often fails. */
const NETWORK_TRYING_MS = 20_000;
/** The driver tries again by itself; only what repeats is an answer. */
const DECISIVE_REFUSALS = 3;

/** `wifi_err_reason_t` (esp_wifi_types_generic.h): the password is wrong, or the security does not match. */
const PASSWORD_REASONS: ReadonlySet<number> = new Set([2, 14, 15, 17, 18, 19, 20, 23, 24, 202, 204, 210, 211]);
/** NO_AP_FOUND and its variants: 201, and 210 to 212 of ESP-IDF 5.2 and later where 210 and 211 are about security. */
const MISSING_REASONS: ReadonlySet<number> = new Set([201, 212]);

/** What the boot loader or the ROM cannot get past. */
const FATAL: Partial<Record<BootEvent['code'], WorkflowErrorCode>> = {
  'invalid-header': 'boot-refused',
  'flash-read-error': 'boot-refused',
  'boot-checksum': 'boot-refused',
  'table-invalid': 'boot-refused',
  'table-bad-md5': 'boot-refused',
  'table-row-beyond-flash': 'boot-refused',
  'flash-smaller-than-header': 'boot-refused',
  'download-mode': 'boot-refused',
  'no-bootable-app': 'boot-no-app',
  panic: 'boot-panic',
  abort: 'boot-panic',
};

const TROUBLES: ReadonlySet<BootEvent['code']> = new Set([
  'slot-invalid-magic',
  'data-image-in-boot-slot',
  'image-checksum',
  'image-hash',
  'image-damaged',
  'wrong-chip',
  'chip-revision',
  'otadata-invalid',
  'brownout',
  'watchdog',
]);

/** The state after a line, or after time passed (`line` undefined). */
export function nextBootState(
  state: BootState,
  input: { at: number; line?: Pick<ConsoleLine, 'text' | 'event'> },
  expected: BootExpectation,
): BootState {
  if (state.phase === 'done' || state.phase === 'failed') return state;
  const after = input.line ? afterLine(state, { at: input.at, line: input.line }, expected) : state;
  return after.phase === 'failed' ? after : afterTime(after, input.at, expected);
}

/** When the state changes by itself, at the latest. */
export function bootDeadline(state: BootState, { check, wifi }: BootExpectation): number {
  if (state.phase === 'up') {
    const waited = state.refusals > 0 ? NETWORK_TRYING_MS : NETWORK_SILENT_MS;
    return (state.upAt ?? 0) + (wifi ? waited : 0);
  }
  if (check.line !== undefined) return check.timeoutSeconds * 1000;
  return state.by === 'loaded-app' ? (state.upAt ?? 0) + SETTLE_MS : state.since + check.timeoutSeconds * 1000;
}

function afterLine(
  state: BootState,
  { at, line }: { at: number; line: Pick<ConsoleLine, 'text' | 'event'> },
  expected: BootExpectation,
): BootState {
  const { event } = line;
  let next = state;
  if (event) next = afterEvent(state, { at, event }, expected);
  if (
    next.phase === 'starting' &&
    expected.check.line !== undefined &&
    new RegExp(expected.check.line).test(line.text)
  ) {
    next = { ...next, phase: 'up', by: 'boot-check', upAt: at };
  }
  return next;
}

function afterEvent(
  state: BootState,
  { at, event }: { at: number; event: BootEvent },
  expected: BootExpectation,
): BootState {
  const fatal = FATAL[event.code];
  if (fatal)
    return fail({ ...state, trouble: state.trouble ?? event }, fatal, { event: event.code, detail: event.name ?? '' });
  if (TROUBLES.has(event.code)) return { ...state, trouble: event };
  switch (event.code) {
    case 'reset-reason':
      return afterReset(state, at);
    case 'loaded-app': {
      const appOffset = event.offset ?? 0;
      if (expected.appOffset !== undefined && appOffset !== expected.appOffset) {
        return fail({ ...state, appOffset }, 'boot-other-slot', { found: appOffset, expected: expected.appOffset });
      }
      return { ...state, by: 'loaded-app', appOffset, upAt: at };
    }
    case 'got-ip':
      return { ...state, ...(event.address === undefined ? {} : { address: event.address }) };
    case 'wifi-disconnected':
      return {
        ...state,
        refusals: state.refusals + 1,
        ...(event.reason === undefined ? {} : { refusal: event.reason }),
      };
    default:
      return state;
  }
}

/** Whatever was reached before does not count: the board starts anew. */
function afterReset(state: BootState, at: number): BootState {
  const resets = state.resets + 1;
  const anew: BootState = {
    phase: 'starting',
    resets,
    since: at,
    refusals: 0,
    ...(state.trouble && { trouble: state.trouble }),
  };
  return resets > LOOP_RESETS ? fail(anew, 'boot-loop', { resets: resets - 1 }) : anew;
}

function afterTime(state: BootState, at: number, expected: BootExpectation): BootState {
  if (state.phase === 'up') return afterNetwork(state, at, expected);
  if (at < bootDeadline(state, expected)) return state;
  if (expected.check.line !== undefined) {
    return fail(state, 'boot-check-missed', { line: expected.check.line, seconds: expected.check.timeoutSeconds });
  }
  const up: BootState = { ...state, phase: 'up', by: state.by ?? 'quiet', upAt: at };
  return afterNetwork(up, at, expected);
}

function afterNetwork(state: BootState, at: number, expected: BootExpectation): BootState {
  if (!expected.wifi || state.address !== undefined) return { ...state, phase: 'done' };
  const late = at >= bootDeadline(state, expected);
  if (state.refusals >= DECISIVE_REFUSALS || (late && state.refusals > 0)) {
    const reason = state.refusal ?? 0;
    if (PASSWORD_REASONS.has(reason)) return fail(state, 'wifi-refused-by-network', { reason });
    if (MISSING_REASONS.has(reason)) return fail(state, 'wifi-network-not-found', { reason });
  }
  return late ? { ...state, phase: 'done' } : state;
}

function fail(state: BootState, code: WorkflowErrorCode, values: BootFailure['values']): BootState {
  const all = state.trouble ? { ...values, trouble: state.trouble.code } : values;
  return { ...state, phase: 'failed', failure: { code, values: all } };
}

export const bootExpectation = (plan: FlashPlan): BootExpectation => ({
  check: plan.bootCheck,
  ...(plan.roles ? { appOffset: plan.roles.app.offset } : {}),
  wifi: plan.wifi !== undefined,
});

/**
 * Follows the console until the board is up, or surely is not.
 *
 * @throws {WorkflowError} `boot-…` or `wifi-…`; the flash holds what the plan wrote.
 * @throws {DeviceError} `port-lost` when the cable is pulled.
 * @throws {DOMException} `AbortError` when `signal` aborts; the board goes on running.
 */
export async function watchBoot(
  console: BoardConsole,
  expected: BootExpectation,
  { signal, onLine }: { signal?: AbortSignal | undefined; onLine?: ((line: ConsoleLine) => void) | undefined } = {},
): Promise<BootVerdict> {
  let state = BOOT_START;
  let now = 0;
  while (state.phase !== 'done' && state.phase !== 'failed') {
    const until = bootDeadline(state, expected);
    const line = await console.next({ ms: Math.max(0, until - now), signal });
    now = line ? line.at : until;
    if (line) onLine?.(line);
    state = nextBootState(state, line ? { at: now, line } : { at: now }, expected);
  }
  if (state.failure) {
    throw new WorkflowError(state.failure.code, `The board did not come up: ${state.failure.code}`, {
      values: state.failure.values,
    });
  }
  const { by = 'quiet', appOffset, address } = state;
  return { by, ...(appOffset === undefined ? {} : { appOffset }), ...(address === undefined ? {} : { address }) };
}
