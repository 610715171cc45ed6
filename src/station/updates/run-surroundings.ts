/** What a run of the station acts on: its journal, the network of the board, and the files that the board fetches. */
import { type Clock } from '#clock.ts';
import { type SeenPage, type UpdateSurroundings, type UpdateTimes } from '#workflows/run-update.ts';
import { type Candidate, type Transfer, type UpdateState } from '#workflows/two-step-ota.ts';
import { type SeenBoard } from '#workflows/update-plan.ts';
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
  const { clock, network, files, stepFiles, boards, times, takenBy } = options;
  const { board, carried } = record;

  const readPage = async (address: string, signal: AbortSignal): Promise<SeenPage | undefined> => {
    const page = await network.readPage(address, signal);
    if (page === 'silent') return undefined;
    const mac = board.mac === undefined ? undefined : await network.macOf(hostOf(address)).catch(() => undefined);
    // The address went to another board.
    if (page === 'unknown' || (mac !== undefined && !isSameBoard(board.mac ?? '', mac))) return undefined;
    if (!isOfRun(page, carried)) return undefined;
    boards.saw(board.id, page);
    return page;
  };

  const find = async ({ address }: UpdateState, signal: AbortSignal): Promise<readonly Candidate[]> => {
    const { mac } = board;
    const { project } = carried;
    const wanted = {
      lastAddress: address,
      ...(mac !== undefined && { mac }),
      ...(project !== undefined && { project }),
    };
    const taken = takenBy(record);
    const candidates = await network.find(wanted, signal);
    return candidates.filter((one) => {
      if (taken.has(one.address)) return false;
      if (mac && one.mac) return isSameBoard(mac, one.mac);
      // Where MACs cannot be seen, a board that the user has in the list as another one is not taken for this one.
      return !boards.isAnother(board.id, one.address);
    });
  };

  return {
    clock,
    ...(times && { times }),
    journal: options.journal(record),
    readPage,
    find,
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

/** Where no MAC can be seen, a board of another product at the address shows at least by what its app calls itself. */
const isOfRun = ({ project }: SeenBoard, { project: old, app }: Carried): boolean =>
  project === undefined || old === undefined || project === old || project === app?.project;

/** Of the firmware that runs while that is downloaded; of a firmware that nobody knows none. */
function headerLimitOf({ state: { facts }, carried }: UpdateRecord, transfer: Transfer): number | undefined {
  const { old, new: next } = carried.headerLimits;
  return transfer === 'data' && facts.steps.includes('app') ? next : old;
}
