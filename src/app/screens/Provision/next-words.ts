/** What the one button says, and what stands beside it. */
import { bytesText } from '#messages/units.ts';
import { type SerialAbility } from '../../ports/browser-abilities.ts';
import { type NextStep } from '../../state/provisioning.svelte.ts';

export interface NextFacts {
  ability: SerialAbility;
  /** The virtual board was the last one. */
  virtual: boolean;
  /** Ports that the page may use already. */
  knownPorts: number;
  objections: number;
  /** The board's cable is in, as far as is known. */
  present: boolean;
  /** Something was written before the run ended. */
  touched: boolean;
  /** The run ended because the board's port went away. */
  lost: boolean;
  /** Bytes that had to be sent, and how many of them the board has. */
  sent: number;
  toSend: number;
  /** The board has all of the plan already, as far as is known. */
  nothingToSend: boolean;
  /** Connecting, or waiting for the board. */
  connecting: boolean;
}

export function nextWords(step: NextStep, facts: NextFacts): { label: string; hint: string } {
  const { ability, virtual, knownPorts, objections, present, lost, nothingToSend, connecting } = facts;
  switch (step) {
    case 'choose':
      return {
        label: 'Choose a build folder',
        hint: 'Or drop it on the card above. Nothing is sent anywhere: the files stay on this computer.',
      };
    case 'connect':
      if (connecting) return { label: 'Connecting', hint: 'The board is brought into its loader and asked who it is.' };
      if (virtual)
        return { label: 'Connect', hint: `To the virtual board${present ? '.' : ', which is plugged in again.'}` };
      if (ability !== 'ready')
        return { label: 'Use the virtual board', hint: 'It does all that a real one does, in this page.' };
      return knownPorts === 1
        ? { label: 'Connect', hint: 'To the board that this page knows already.' }
        : { label: 'Connect', hint: 'Plug the board in; the browser asks which port it is.' };
    case 'settle':
      return {
        label: 'Show what is in the way',
        hint:
          objections > 1
            ? `${objections} things are to be settled before anything can be written.`
            : 'One thing is to be settled before anything can be written.',
      };
    case 'write':
      return {
        label: 'Write and start',
        hint: nothingToSend
          ? 'The board has all of it already: it is only started.'
          : 'Cancelling midway leaves the board needing a new write.',
      };
    case 'again':
      if (!present) return { label: 'Write again', hint: 'It waits until the board is plugged in.' };
      return {
        label: 'Write again',
        hint: [lost ? 'The board is back.' : '', restText(facts)].filter(Boolean).join(' '),
      };
    case 'next-board':
      return { label: 'Next board', hint: 'Release and settings stay. Plug in the next one.' };
  }
}

/** What a second run does after the first. */
function restText({ touched, sent, toSend }: NextFacts): string {
  if (!touched) return 'Nothing was changed so far.';
  return sent > 0
    ? `It goes on where it was: some ${bytesText(sent)} of ${bytesText(toSend)} are on the board already.`
    : 'What the board holds already is not sent again.';
}
