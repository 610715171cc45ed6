/** The station put together: everything that it stands on is handed in. */
import { type StationEvent, type StationInfo } from '#api.ts';
import { type Clock } from '#clock.ts';
import { printable } from '#messages/printable.ts';
import { type UpdateTimes } from '#workflows/update-surroundings.ts';
import { type FastifyInstance } from 'fastify';
import { join } from 'node:path';
import { type BoardFiles } from './board-files/board-files.ts';
import { Boards } from './boards/boards.ts';
import { StationEvents } from './events.ts';
import { createHttpServer, type TlsFiles } from './http-server.ts';
import { type BoardNetwork } from './network/board-network.ts';
import { ReleaseFolder } from './releases/release-folder.ts';
import { ReleaseLibrary } from './releases/release-library.ts';
import { addBoardRoutes } from './routes/board-routes.ts';
import { addEventRoutes } from './routes/event-routes.ts';
import { addPageRoutes } from './routes/page-routes.ts';
import { addReleaseRoutes } from './routes/release-routes.ts';
import { addStationRoutes } from './routes/station-routes.ts';
import { addUpdateRoutes } from './routes/update-routes.ts';
import { Guard } from './security/guard.ts';
import { type Door } from './security/own-hosts.ts';
import { newPairingCode, Pairing } from './security/pairing.ts';
import { Sessions } from './security/sessions.ts';
import { StationState } from './station-state.ts';
import { BoardStore } from './store/board-store.ts';
import { Database } from './store/database.ts';
import { ReleaseStore } from './store/release-store.ts';
import { SessionStore } from './store/session-store.ts';
import { SettingsStore } from './store/settings-store.ts';
import { UpdateStore } from './store/update-store.ts';
import { StepFiles } from './updates/step-files.ts';
import { Updates } from './updates/updates.ts';

export interface StationOptions {
  /** Folder for database, releases and files, absolute; it exists, and no other station uses it. */
  data: string;
  version: string;
  clock: Clock;
  /** Milliseconds since 1970. */
  now: () => number;
  network: BoardNetwork;
  files: BoardFiles;
  /** By which hosts it may be asked for. */
  door: Omit<Door, 'port' | 'ownAddresses'>;
  tls?: TlsFiles;
  /** Folder of the built page, absolute. */
  pageFolder?: string;
  /** Folder from which releases are taken. */
  releasesFolder?: string;
  /** Lines for whoever runs it; never a secret. */
  log: (line: string) => void;
  /** Shorter ones for tests. */
  times?: Partial<UpdateTimes>;
}

export interface Station {
  /** Ready to listen, or to be tried with `inject()`. */
  server: FastifyInstance;
  /** What browsers on other computers are asked for, once. To be shown to whoever runs the station, and to nobody else. */
  pairingCode: string;
  /** Ends everything in good order; runs that are not over go on with the next start. */
  close: () => Promise<void>;
}

/** @throws {StartError} `data-in-use`, `data-newer`, `data-unusable`, `releases-unreadable`. */
export async function createStation(options: StationOptions): Promise<Station> {
  const database = Database.open(join(options.data, 'station.sqlite'));
  try {
    // Names of files and boards are quoted in it, and it goes to a terminal.
    return await assemble({ ...options, log: (line) => options.log(printable(line)) }, database);
  } catch (error) {
    database.close();
    throw error;
  }
}

async function assemble(options: StationOptions, database: Database): Promise<Station> {
  const { clock, log, releasesFolder } = options;
  const parts = await makeParts(options, database);
  const { library, state, updates, events } = parts;
  const folder =
    releasesFolder === undefined
      ? undefined
      : await ReleaseFolder.open({ folder: releasesFolder, library, clock, log });
  const pairingCode = newPairingCode();
  const server = serverOf(options, parts, pairingCode);
  await server.ready();
  await state.resumeListener();
  updates.resume();

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    folder?.close();
    await server.close();
    await updates.close();
    await state.close();
    events.close();
    database.close();
  };
  return { server, pairingCode, close: () => (closing ??= close()) };
}

/** What works behind the routes. */
interface Parts {
  database: Database;
  events: StationEvents;
  boards: Boards;
  library: ReleaseLibrary;
  state: StationState;
  updates: Updates;
}

async function makeParts(options: StationOptions, database: Database): Promise<Parts> {
  const { data, clock, now, network, files, log } = options;
  const events = new StationEvents(clock);
  const stepFiles = await StepFiles.open(join(data, 'files'));
  const boards = new Boards({ database, store: new BoardStore(database), network, events, now });
  const library = await ReleaseLibrary.open({
    folder: join(data, 'releases'),
    store: new ReleaseStore(database),
    events,
    now,
    inUse: (id) => updates.usesRelease(id),
  });
  const state = new StationState({
    ...options,
    settings: new SettingsStore(database),
    events,
    isNeeded: () => updates.areOpen,
  });
  const updates: Updates = new Updates({
    ...{ database, boards, library, network, files, stepFiles, events, clock, now, log },
    store: new UpdateStore(database),
    times: options.times,
    onIdle: () => state.closeLater(),
  });
  return { database, events, boards, library, state, updates };
}

function serverOf(options: StationOptions, parts: Parts, pairingCode: string): FastifyInstance {
  const { clock, now, network, log, pageFolder, tls } = options;
  const { database, events, boards, library, state, updates } = parts;
  const server = createHttpServer({ tls, onError: (error) => log(`A request failed: ${String(error)}`) });
  const port = (): number => portOf(server);
  const sessions = new Sessions(new SessionStore(database), now);
  // Cookies are for all ports of a host: each station has its own.
  const cookieName = (): string => `twostep_${port()}`;
  const ownAddresses = (): string[] => network.networks().map(({ address }) => address);
  const guard = new Guard({ door: { ...options.door, port, ownAddresses }, sessions, cookieName });
  guard.watch(server);
  addStationRoutes(server, { guard, sessions, pairing: new Pairing(pairingCode, clock), cookieName, state });
  addBoardRoutes(server, boards);
  addReleaseRoutes(server, library, clock);
  addUpdateRoutes(server, updates);
  addEventRoutes(server, {
    ...{ guard, events, clock },
    all: (station) => everything(parts, station),
    info: (standing) => state.info(standing),
  });
  if (pageFolder !== undefined) addPageRoutes(server, pageFolder);
  return server;
}

const everything = (
  { boards, library, updates }: Parts,
  station: StationInfo,
): Extract<StationEvent, { kind: 'all' }> => ({
  kind: 'all',
  boards: boards.list(),
  releases: library.list(),
  updates: updates.list(),
  station,
});

/** 80 while it does not listen, which is what `inject()` asks for. */
function portOf(server: FastifyInstance): number {
  const address = server.server.address();
  return typeof address === 'object' && address ? address.port : 80;
}
