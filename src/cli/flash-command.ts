/** `twostep flash`: a release, a data file and Wi-Fi credentials go in, and a board comes up. */
import { type Bootloader } from '#device/bootloader.ts';
import { FLASH_MODES, parseFlashSize } from '#formats/chips.ts';
import { FormatError } from '#formats/format-error.ts';
import { parseWifiStore } from '#formats/nvs/wifi-credentials.ts';
import { type Release } from '#formats/release/release.ts';
import { bytesText } from '#messages/units.ts';
import { boardHints } from '#workflows/board-hints.ts';
import { type BoardState, readBoardState } from '#workflows/board-state.ts';
import { type HeaderWish } from '#workflows/bootloader-plan.ts';
import { type BootVerdict } from '#workflows/boot-watch.ts';
import { EVERYTHING, type FlashComparison } from '#workflows/flash-comparison.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { provision } from '#workflows/provision.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { type WifiWish } from '#workflows/nvs-plan.ts';
import { type Orientation } from '#workflows/roles.ts';
import { type TableWish } from '#workflows/table-choice.ts';
import { type FlashStep } from '#workflows/run-flash-plan.ts';
import { isRefusedWish, WorkflowError } from '#workflows/workflow-error.ts';
import { writtenBoard } from '#workflows/written-board.ts';
import { comparePlan } from './compare-plan.ts';
import { connectStation } from './connect-station.ts';
import { type CommandContext } from './context.ts';
import { identityText } from './identity-text.ts';
import { InputError } from './input-error.ts';
import { planRecord, planText } from './plan-text.ts';
import { readInput } from './files/file-command.ts';
import { readRelease } from './release-files.ts';
import { type StationClient } from './station-client.ts';
import { tellStation } from './tell-station.ts';
import { type BoardOptions, leaveLoader, withBoard } from './with-board.ts';
import { type Command, Option } from 'commander';
import { addLineOptions, afterOption, jsonOption, portOption } from './board-options.ts';

export interface FlashOptions extends BoardOptions {
  data?: string;
  partitions?: string;
  wifiSsid?: string;
  wifiPasswordStdin?: boolean;
  wifiStore?: string;
  orientation: Orientation;
  flashHeader?: string;
  after: 'reset' | 'none';
  plan?: boolean;
  full?: boolean;
  signed?: boolean;
  station?: string;
}

/**
 * @throws {InputError} when what was given is refused; nothing is touched.
 * @throws everything that `provision` throws.
 */
async function flashCommand(paths: string[], options: FlashOptions, context: CommandContext): Promise<void> {
  const release = await readRelease(paths);
  const station = await stationOf(options, context);
  const wishes = await readWishes(options, context);
  sayRelease(release, context);
  const flashed = await flashBoard({ release, wishes }, options, context);
  if (!flashed) return;
  const { verdict, plan, board } = flashed;
  if (station) {
    const held = writtenBoard({ board, plan, release: release.name, address: verdict?.address });
    await tellStation(station, held, context);
  }
  sayUp(verdict, { plan, mac: board.identity.mac }, context);
}

interface Flashed {
  /** As it was read before. */
  board: BoardState;
  plan: FlashPlan;
  verdict: BootVerdict | undefined;
}

/** @returns nothing with `--plan`. */
async function flashBoard(
  { release, wishes }: { release: Release; wishes: ProvisionOptions },
  options: FlashOptions,
  context: CommandContext,
): Promise<Flashed | undefined> {
  const { output, signal } = context;
  const hints = boardHints(release, wishes.table);
  let flashed: Flashed | undefined;
  await withBoard(options, context, async (board) => {
    const { line, record } = identityText(board.identity);
    output.say('board', record, line);
    const state = await readBoardState(board, board.identity, { signal, hints });
    const plan = planProvision(release, state, wishes);
    output.say('plan', planRecord(plan), planText(plan));
    const refused = plan.objections.length > 0;
    const comparison = refused ? EVERYTHING : await comparePlan(board, plan, { full: options.full, context });
    if ((options.plan || refused) && options.after === 'reset') await leaveLoader(board, options, context);
    if (refused) throw new WorkflowError('plan-refused', 'There are objections to this plan');
    if (options.plan) return;
    const verdict = await runPlan(board, plan, { options, context, comparison });
    flashed = { board: state, plan, verdict };
  });
  return flashed;
}

/** The station that is to be told, reached before anything is written. */
async function stationOf({ station }: FlashOptions, context: CommandContext): Promise<StationClient | undefined> {
  if (station === undefined) return undefined;
  const client = await connectStation(station, context);
  // A password may come from standard input next.
  context.prompt.close();
  return client;
}

interface RunContext {
  options: FlashOptions;
  context: CommandContext;
}

async function runPlan(
  board: Bootloader,
  plan: FlashPlan,
  { options, context, comparison }: RunContext & { comparison: FlashComparison },
): Promise<BootVerdict | undefined> {
  const { output, signal } = context;
  return provision(board, plan, {
    signal,
    after: options.after,
    comparison,
    onProgress: ({ sent, toSend }) => output.progress('write', sent, toSend),
    onStep: (step) => sayStep(step, context),
    onRestart: () => output.say('restart', {}, 'Verified. Restarting the board'),
    onLine: ({ at, text, event }) =>
      output.say('console', { at, text, ...(event ? { code: event.code } : {}) }, `  | ${text}`),
  });
}

function sayStep(step: FlashStep, context: CommandContext): void {
  const { output } = context;
  if (step.kind === 'compare') return;
  const { role, label, offset, data } = step.write;
  const fields = { role, label, offset, size: data.length, index: step.index, count: step.count };
  if (step.kind === 'verify') {
    context.changed = 'all';
    output.say('verify', fields, step.index === 0 ? `Verifying ${step.count} regions` : undefined);
  } else if (step.toSend === 0) {
    output.say('same', fields, `${label} is the same already`);
  } else {
    context.changed = 'part';
    const part = step.toSend < data.length ? `${bytesText(step.toSend)} of ` : '';
    output.say('write', { ...fields, toSend: step.toSend }, `Writing ${label} (${part}${bytesText(data.length)})`);
  }
}

function sayRelease({ kind, name, version, builds }: Release, { output }: CommandContext): void {
  const chips = builds.map(({ chip }) => chip.title).join(', ');
  const text = `Release ${[name, version].filter(Boolean).join(' ')} (${kind}) for ${chips}`;
  output.say('release', { kind, name, version, chips: builds.map(({ chip }) => chip.name) }, text);
}

function sayUp(
  verdict: BootVerdict | undefined,
  { plan, mac }: { plan: FlashPlan; mac: string | undefined },
  { output }: CommandContext,
): void {
  if (!verdict) {
    output.say('done', { mac }, 'Written and verified. The board stays in its loader');
    return;
  }
  const how = {
    'boot-check': 'Running: the release’s sign of life was seen',
    'loaded-app': 'Running',
    quiet: 'Probably running: five seconds without a crash or a restart',
    unseen: 'Written and verified. Whether it runs cannot be seen: its app has no USB port',
  }[verdict.by];
  const unknown = plan.wifi ? '. It did not say whether it is on the network' : '';
  const text = verdict.address === undefined ? `${how}${unknown}` : `Running, on the network as ${verdict.address}`;
  output.say('done', { mac, ...verdict }, text);
}

/**
 * What the user asks for, read and checked before a port is opened.
 *
 * @throws {InputError} or {FormatError}.
 */
async function readWishes(options: FlashOptions, context: CommandContext): Promise<ProvisionOptions> {
  const wishes: ProvisionOptions = { orientation: options.orientation, table: await tableWish(options.partitions) };
  if (options.signed) wishes.signed = true;
  if (options.data !== undefined) wishes.data = { name: options.data, bytes: await readInput(options.data) };
  if (options.flashHeader !== undefined) wishes.header = headerWish(options.flashHeader);
  const wifi = wifiOptions(options);
  if (wifi) wishes.wifi = { ...wifi, password: options.wifiPasswordStdin ? await context.readPassword() : '' };
  return wishes;
}

/** The network to join, if any; without a store the credentials go where the release says. */
function wifiOptions({
  wifiStore,
  wifiSsid: ssid,
  wifiPasswordStdin,
}: FlashOptions): Omit<WifiWish, 'password'> | undefined {
  const store = wifiStore === undefined ? undefined : parseWifiStore(wifiStore);
  const stores = store !== undefined && store.kind !== 'none';
  if (ssid !== undefined) return store?.kind === 'none' ? undefined : { ssid, ...(store && { store }) };
  if (!stores && !wifiPasswordStdin) return undefined;
  const what = stores ? 'There is no network name to store' : 'A Wi-Fi password without a network name';
  throw new InputError('wifi-ssid-missing', what, { todo: 'Give the name with --wifi-ssid.' });
}

async function tableWish(text: string | undefined): Promise<TableWish> {
  if (text === undefined) return { kind: 'auto' };
  if (text === 'two-slot' || text === 'release') return { kind: text };
  const bytes = await readInput(text);
  return { kind: 'csv', name: text, bytes };
}

/** `repair`, `keep`, or `mode=dio,freq=40m,size=detect` in any selection. */
function headerWish(text: string): HeaderWish {
  if (text === 'keep') return {};
  if (text === 'repair') return { repair: true };
  const wish: HeaderWish = {};
  for (const pair of text.split(',')) {
    const [key, value = ''] = pair.split('=');
    const mode = FLASH_MODES.find((name) => name === value);
    const size = value === 'detect' ? ('detect' as const) : parseFlashSize(value);
    if (key === 'mode' && mode) wish.mode = mode;
    else if (key === 'freq' && value !== '') wish.frequency = value;
    else if (key === 'size' && size !== undefined) wish.size = size;
    else {
      throw new InputError('flash-header', `"${pair}" is no setting of a flash header`, {
        todo: 'Give repair, keep, or mode=dio,freq=40m,size=detect.',
      });
    }
  }
  return wish;
}

/** Whether an error means that the input was refused: exit code 2. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof InputError || error instanceof FormatError || isRefusedWish(error);

export function addFlashCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('flash')
    .description('write a release, data and Wi-Fi credentials, and watch the board come up')
    .argument(
      '<release...>',
      'a release file, a build folder of ESP-IDF, Arduino or PlatformIO, a .zip of one, a merged image, or an app image',
    )
    .addOption(portOption())
    .option('--data <file>', 'data for the second slot')
    .option('--partitions <table>', 'a CSV file, two-slot (proposed for this flash) or release (as it is)')
    .option('--wifi-ssid <name>', 'network that the board should join')
    .option('--wifi-password-stdin', 'read its password from standard input')
    .option(
      '--wifi-store <store>',
      'where the firmware looks: none, idf or NAMESPACE:SSIDKEY:PASSKEY; else as the release says',
    )
    .addOption(
      new Option('--orientation <which>', 'keep a swapped board swapped, or put app and data back')
        .choices(['keep', 'normal'])
        .default('keep'),
    )
    .option('--flash-header <change>', 'boot loader header: keep, repair, or mode=dio,freq=40m,size=detect')
    .addOption(afterOption())
    .option('--full', 'send everything, also what the flash holds already')
    .option('--signed', 'the release is signed with the key of this board, which has secure boot')
    .option('--station <url>', 'tell this station what the board holds, which updates it over the network later on')
    .option('--plan', 'only show what would be written, kept and lost');
  addLineOptions(command)
    .addOption(jsonOption())
    .action((paths: string[], options: FlashOptions) => flashCommand(paths, options, context));
}
