/** `npm start`: the station on this computer with what it does by default. Host and port can be set by HOST and PORT. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { portInstead } from './boards-port.ts';
import { defaultDataFolder } from './data-folder.ts';
import { startHere } from './start.ts';
import { StartError } from './start-error.ts';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
const { env, argv } = process;
const port = Number(env['PORT'] ?? 4600);

try {
  if (argv.length > 2) throw new StartError('options-unknown', `npm start takes no options, such as ${argv[2] ?? ''}`);
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new StartError('port-unknown', `"${env['PORT'] ?? ''}" is no port`, {
      todo: 'Give PORT a number up to 65535.',
    });
  }
  const station = await startHere({
    host: env['HOST'] ?? '127.0.0.1',
    port,
    data: defaultDataFolder({ env }),
    pageFolder: fileURLToPath(new URL('../../dist/page', import.meta.url)),
    version,
    log: (line) => console.error(line),
  });
  console.log(`Twostep is at ${station.url}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void station.close());
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  const todo =
    error.code === 'port-in-use'
      ? `Start with another one, such as PORT=${portInstead(port)} npm start`
      : [error.todo, 'Options are those of: npm run twostep -- serve --help'].filter(Boolean).join(' ');
  console.error(`${error.message}. ${todo}`);
  process.exitCode = 1;
}
