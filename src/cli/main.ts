/** `twostep`: the command line's entrance. */
import process from 'node:process';
import { runCommandLine } from './program.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  streams: { out: process.stdout, err: process.stderr },
  stdin: process.stdin,
  onInterrupt: (callback) => {
    process.on('SIGINT', callback);
    process.on('SIGTERM', callback);
  },
});
// A board that was given up (a hung serial driver) must not keep the process alive.
process.exit();
