/** Who is logged in decides what there is to see; the address decides which of it. */
import { lazy, Suspense } from 'react';
import { Route, Router, Switch } from 'wouter';
import { Login } from './pages/Login';
import { VmList } from './pages/VmList';
import { Busy } from './parts/Empty';
import { Notices } from './parts/Notices';
import { QuestionDialog } from './parts/QuestionDialog';
import { Shell } from './parts/Shell';
import { useConnection } from './parts/useConnection';

const VmPage = lazy(() => import('./pages/VmPage'));
const CreatePage = lazy(() => import('./pages/create/CreatePage'));
const JobsPage = lazy(() => import('./pages/JobsPage'));
const HostPage = lazy(() => import('./pages/HostPage'));
const AccessPage = lazy(() => import('./pages/AccessPage'));
const DisplayWindow = lazy(() => import('./pages/vm/DisplayWindow'));

const ofDisplay = /^\/vm\/display\/(\d+)\/spice_auto\.html$/.exec(location.pathname);

export function App() {
  const { status, user } = useConnection();
  if (!user) return status === 'connecting' ? <Busy isPage /> : <Login />;
  return (
    <>
      {ofDisplay ? (
        <Suspense fallback={<Busy isPage />}>
          <DisplayWindow device={Number(ofDisplay[1])} />
        </Suspense>
      ) : (
        <Router base="/ui">
          <Shell>
            <Suspense fallback={<Busy />}>
              <Switch>
                <Route path="/vm/:id/:tab?">
                  {({ id, tab }) => <VmPage key={id} id={Number(id)} tab={tab ?? 'overview'} />}
                </Route>
                <Route path="/create" ><CreatePage /></Route>
                <Route path="/jobs" ><JobsPage /></Route>
                <Route path="/host" ><HostPage /></Route>
                <Route path="/access/:tab?">{({ tab }) => <AccessPage tab={tab ?? 'users'} />}</Route>
                <Route component={VmList} />
              </Switch>
            </Suspense>
          </Shell>
        </Router>
      )}
      <QuestionDialog />
      <Notices />
    </>
  );
}
