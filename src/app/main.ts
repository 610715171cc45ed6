/** Mounts the page. */
import '@fontsource-variable/inter';
import '@fontsource-variable/jetbrains-mono';
import { mount } from 'svelte';
import App from './App.svelte';
import { offline } from './offline.svelte.ts';
import { applyStoredTheme } from './theme.svelte.ts';
import './tokens.css';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
applyStoredTheme();
mount(App, { target });
offline.start();
