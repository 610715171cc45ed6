/** Texts for what a station refuses or cannot do. */
import { type StationErrorCode } from '#api.ts';
import { type Message } from './message.ts';

const STATION_MESSAGES: Record<StationErrorCode, Message> = {
  'session-needed': {
    what: 'The station does not know this browser.',
    state: 'Nothing was changed.',
    todo: 'Load the page again, and enter the code that the station printed if it asks for one.',
  },
  'wrong-origin': {
    what: 'The request came from another site, or by a name that the station does not go by.',
    state: 'Nothing was changed.',
    todo: 'Open the page at the address that the station printed.',
  },
  'pairing-wrong': {
    what: 'This is not the code that the station printed.',
    todo: 'Look at its window, and enter it again.',
  },
  'pairing-locked': {
    what: 'There were too many wrong codes.',
    state: 'The station takes none for a while.',
    todo: 'Wait as long as it says, then enter the code that it printed.',
  },
  'bad-request': {
    what: 'The station does not understand what it was asked.',
    state: 'Nothing was changed.',
    todo: 'Load the page again: it may be of another version than the station.',
  },
  'not-found': { what: 'That is not there any more.', todo: 'Look at the list again: somebody may have removed it.' },
  'too-large': {
    what: 'The file is larger than the station takes.',
    state: 'It was not kept.',
    todo: 'Take a smaller one.',
  },
  'station-busy': {
    what: 'The station is taking other files, as many as it can at a time.',
    state: 'This one was not taken.',
    todo: 'Try again in half a minute.',
  },
  'upload-stalled': {
    what: 'The file stopped coming before its end.',
    state: 'It was not kept.',
    todo: 'Look at the connection to the station, then try again.',
  },
  'release-refused': {
    what: 'The file is no release, or it is damaged.',
    state: 'It was not kept.',
    todo: 'Build or download it again.',
  },
  'address-refused': {
    what: 'This is no address of a board: the station speaks only to numeric addresses of private networks.',
    todo: 'Enter it as 192.168.1.57, or as 192.168.1.57:8080 with a port.',
  },
  'plan-refused': {
    what: 'There are objections to this update, or something has not been agreed to.',
    state: 'No board was asked for anything.',
    todo: 'Plan it again, and look at what the plan says.',
  },
  'in-use': {
    what: 'A run that is not over needs it.',
    state: 'It was kept.',
    todo: 'Let the run end first.',
  },
  'choice-not-offered': {
    what: 'The run has gone on meanwhile: this choice is not open any more.',
    state: 'Nothing was changed by it.',
    todo: 'Look at where it stands now.',
  },
  'listener-failed': {
    what: 'The listener from which boards fetch their files could not be opened.',
    state: 'No board was asked for anything.',
    todo: 'Start the station with another --boards-listen: its port may be taken, or its address gone.',
  },
  'station-failed': {
    what: 'Something went wrong in the station that should not happen.',
    state: 'What was running is on record and goes on from there.',
    todo: 'Try again; if it happens again, look at the window of the station.',
  },
};

/** What the station refuses or cannot do. */
export const stationErrorMessage = (error: StationErrorCode): Message => STATION_MESSAGES[error];
