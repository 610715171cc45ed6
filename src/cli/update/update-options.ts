/** The options of `twostep update`, read and checked before anything is asked of a board. */
import { AddBoardRequest, ON_FAILURE, type OnFailure, type StartRequest } from '#api.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import * as v from 'valibot';
import { jsonOption } from '../board-options.ts';
import { InputError } from '../input-error.ts';
import { stationError } from '../station-client.ts';

export interface UpdateOptions {
  board: string[];
  data?: string;
  oldRelease?: string;
  oldData?: string;
  station?: string;
  boardsListen: string;
  onFailure: FailurePolicy;
  agree: string[];
  yes?: boolean;
  plan?: boolean;
  only?: 'app' | 'data';
  atOnce: number;
  testGroup: number;
  stopAfter: number;
  json?: boolean;
}

export interface FailurePolicy {
  onFailure: OnFailure;
  retries?: number;
}

/** `ask`, `retry:N`, `restore` or `stop`. */
export function parseFailurePolicy(text: string): FailurePolicy {
  const [name = '', number] = text.split(':');
  const onFailure = ON_FAILURE.find((known) => known === name);
  const retries = number === undefined ? 3 : Number(number);
  if (
    !onFailure ||
    (number !== undefined && name !== 'retry') ||
    !Number.isInteger(retries) ||
    retries < 1 ||
    retries > 20
  ) {
    throw new InvalidArgumentError('Give ask, retry:N with N from 1 to 20, restore or stop.');
  }
  return { onFailure, ...(onFailure === 'retry' && { retries }) };
}

export const addUpdateOptions = (command: Command): Command =>
  command
    .requiredOption('--board <address...>', 'the boards: IP addresses, with :PORT where it is not 80')
    .option('--data <file>', 'data of the second slot, in place of those of the release')
    .option(
      '--old-release <release>',
      'the release that the boards have now, or a backup of one, for the way back to its data',
    )
    .option('--old-data <file>', 'the data that they have, in place of those of the old release')
    .option('--station <url>', 'a station that carries it out; else the command is one itself, for the time of the run')
    .option(
      '--boards-listen <address:port>',
      'where boards fetch their files from, without --station; port 0 is any that is free',
      '0.0.0.0:0',
    )
    .addOption(new Option('--only <step>', 'one of the two steps alone').choices(['app', 'data']))
    .addOption(
      new Option(
        '--on-failure <policy>',
        'what follows a failed step: ask; retry:N, and leave it after that; restore, which puts the old data back, or ' +
          'tries again where it cannot; stop, which leaves it',
      )
        .argParser(parseFailurePolicy)
        .default({ onFailure: 'ask' } satisfies FailurePolicy, 'ask'),
    )
    .option('--at-once <number>', 'boards that are updated at the same time', countFrom(1, 50), 4)
    .option(
      '--test-group <number>',
      'boards that go first, the others only when all of these succeeded; 0 for none',
      countFrom(0, 50),
      1,
    )
    .option('--stop-after <number>', 'no more boards are begun after so many failures', countFrom(1, 1000), 3)
    .addOption(
      new Option('--agree <code...>', 'what the plan asks for a yes to, such as no-way-back').default([], 'nothing'),
    )
    .option('--yes', 'open the listener for boards, and begin, without asking; --agree is still needed')
    .option('--plan', 'only show what would be done')
    .addOption(jsonOption())
    .addHelpText('after', EXAMPLES);

const EXAMPLES = `
What would be done, and then doing it with nobody at the terminal:
  twostep update build/ --data voices.bin --board 192.168.1.57 192.168.1.58 --plan
  twostep update build/ --data voices.bin --board 192.168.1.57 192.168.1.58 \\
    --old-release old/build/ --old-data old/voices.bin --on-failure restore --yes`;

/** As the station takes it. */
function countFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}

/**
 * The addresses, each of them once.
 *
 * @throws {InputError} `address-refused` for what cannot be one.
 */
export function boardAddresses({ board }: UpdateOptions): string[] {
  const wrong = board.find((address) => !v.is(AddBoardRequest, { address }));
  if (wrong !== undefined) throw stationError('address-refused', wrong);
  return [...new Set(board)];
}

/** The campaign as the station wants it. */
export const campaignOf = ({ onFailure, atOnce, testGroup, stopAfter }: UpdateOptions): Partial<StartRequest> => ({
  ...onFailure,
  atOnce,
  testGroup,
  stopAfter,
});

/** @throws {InputError} `needs-terminal` when something would have to be asked and nobody can answer. */
export function checkAnswerable({ onFailure, yes, plan }: UpdateOptions, isAnswered: boolean): void {
  if (isAnswered || plan) return;
  if (onFailure.onFailure === 'ask') {
    throw new InputError('needs-terminal', 'Nobody is at a terminal to decide what follows a failure', {
      todo: 'Give --on-failure retry:3, restore or stop.',
    });
  }
  if (!yes) {
    throw new InputError('needs-terminal', 'Nobody is at a terminal to agree to the plan', {
      todo: 'Look at it with --plan, then give --yes.',
    });
  }
}
