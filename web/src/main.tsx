import '@patternfly/react-core/dist/styles/base.css';
import './style.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { connection } from './api/connection';
import { App } from './App';
import { keepTaken } from './store/events';
import { keepJobs } from './store/jobs';
import { keepTheme } from './store/preferences';
import { keepVms } from './store/vms';

keepTheme();
keepVms();
keepJobs();
keepTaken();
connection.open();

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
