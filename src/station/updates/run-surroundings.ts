/** What a run of the station acts on: its journal, the network of the board, and the files that the board fetches. */
import { type Clock } from '#clock.ts';
import { type SeenPage, type UpdateSurroundings, type UpdateTimes } from '#workflows/update-surroundings.ts';
import { type Candidate, type Transfer } from '#workflows/update-state.ts';
import { type BoardPage } from '#device/board-http.ts';
import { type BoardFiles } from '../board-files/board-files.ts';
import { type Boards } from '../boards/boards.ts';
import { isSameBoard } from '../boards/same-mac.ts';
import { type BoardNetwork } from '../network/board-network.ts';
import { newId } from '../new-id.ts';
import { hostOf } from '../boards/board-address.ts';
import { type Carried, type UpdateRecord } from '../store/update-store.ts';
import { type StepFiles } from './step-files.ts';

export interface SurroundingsOptions {
  clock: Clock;
  network: BoardNetwork;
  files: BoardFiles;
  stepFiles: StepFiles;
  boards: Boards;
  /** Shorter ones for tests. */
  times?: Partial<UpdateTimes> | undefined;
  journal: (record: UpdateRecord) => UpdateSurroundings['journal'];
  /** Addresses at which another run knows its board to be. */
  takenBy: (record: UpdateRecord) => ReadonlySet<string>;
}

export function surroundingsOf(record: UpdateRecord, options: SurroundingsOptions): UpdateSurroundings {
  const { clock, network, files, stepFiles, times } = options;
  const { carried } = record;
  return {
    clock,
    ...(times && { times }),
    journal: options.journal(record),
    readPage: (address, signal) => readPage(address, { record, options, signal }),
    find: ({ address }, signal) => find(address, { record, options, signal }),
    newFileName: newId,
    startDownload: async ({ address, url }, signal) => {
      // This computer has lost its address in the board's network.
      if (url === '') return 'not-delivered';
      const { position } = record.state;
      const headerLimit = headerLimitOf(record, 'transfer' in position ? position.transfer : 'app');
      return network.startDownload({ address, url, ...(headerLimit !== undefined && { headerLimit }) }, signal);
    },
    offer: async ({ transfer, file, address }, onServed) => {
      const { sha256 = '', size = 0 } = carried.files[transfer] ?? {};
      const handle = files.offer({ name: file, path: stepFiles.path(sha256), size, sha256 }, onServed);
      return {
        url: files.urlFor(file, hostOf(address)) ?? '',
        get open() {
          return handle.open;
        },
        get sent() {
          return handle.sent;
        },
        withdraw: () => handle.withdraw(),
      };
    },
  };
}

interface Looking {
  record: UpdateRecord;
  options: SurroundingsOptions;
  signal: AbortSignal;
}

/** The page of the run's board; another board at the address is none. */
async function readPage(address: string, { record, options, signal }: Looking): Promise<SeenPage | undefined> {
  const { board, carried } = record;
  const { network, boards } = options;
  const page = await network.readPage(address, signal);
  if (page === 'silent' || page === 'unknown') return undefined;
  const mac = board.mac === undefined ? undefined : await network.macOf(hostOf(address)).catch(() => undefined);
  if (mac !== undefined && !isSameBoard(board.mac ?? '', mac)) return undefined;
  if (!isOfRun(page, carried)) return undefined;
  boards.saw(board.id, page);
  return page;
}

/** Boards that could be the run's, last seen at that address. */
async function find(lastAddress: string, { record, options, signal }: Looking): Promise<readonly Candidate[]> {
  const { id, mac } = record.board;
  const { carried } = record;
  // The new app may call itself otherwise than the old one: both are looked for then.
  const project = carried.app?.project === carried.project || !carried.app?.project ? carried.project : undefined;
  const wanted = { lastAddress, ...(mac !== undefined && { mac }), ...(project !== undefined && { project }) };
  const taken = options.takenBy(record);
  const candidates = await options.network.find(wanted, signal);
  return candidates.filter((one) => {
    if (taken.has(one.address) || !isOfRun(one, carried)) return false;
    if (mac && one.mac) return isSameBoard(mac, one.mac);
    // Where MACs cannot be seen, a board that the user has in the list as another one is not taken for this one.
    return !options.boards.isAnother(id, one.address);
  });
}

/** Where no MAC can be seen, a board of another product at the address shows at least by what its app calls itself. */
const isOfRun = ({ project }: Pick<BoardPage, 'project'>, { project: old, app }: Carried): boolean =>
  project === undefined || old === undefined || project === old || project === app?.project;

/** Of the firmware that runs while that is downloaded; of a firmware that nobody knows none. */
function headerLimitOf({ state: { facts }, carried }: UpdateRecord, transfer: Transfer): number | undefined {
  const { old, new: next } = carried.headerLimits;
  return transfer === 'data' && facts.steps.includes('app') ? next : old;
}
