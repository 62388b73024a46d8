import { Button, PageSection, Tab, Tabs, TabTitleText, Title } from '@patternfly/react-core';
import { Td, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { connection } from '../api/connection';
import { explain } from '../api/errors';
import { type DateValue, time } from '../api/types';
import { clock } from '../parts/format';
import { Rows } from '../parts/Rows';
import { useLive } from '../parts/useCall';
import { useMay } from '../parts/useConnection';
import { ask, notify, type Question } from '../store/notices';
import { text } from '../text';
import { KeyDialog } from './access/KeyDialog';
import { roleOf, UserDialog } from './access/UserDialog';

const { access } = text;

interface UserRow {
  id: number;
  username: string;
  full_name?: string;
  locked?: boolean;
  roles?: string[];
  twofactor_auth_configured?: boolean;
}

interface KeyRow {
  id: number;
  name: string;
  username: string | null;
  created_at: DateValue;
  expires_at: DateValue | null;
  revoked: boolean;
}

interface SessionRow {
  id: string;
  current: boolean;
  internal: boolean;
  origin: string;
  credentials: keyof typeof access.ways;
  credentials_data: { username?: string };
  created_at: DateValue;
}

const TABS = { users: Users, keys: Keys, sessions: Sessions };
type Which = keyof typeof TABS;

export default function AccessPage({ tab }: { tab: string }) {
  const [, go] = useLocation();
  const which = tab in TABS ? (tab as Which) : 'users';
  const Content = TABS[which];
  return (
    <>
      <PageSection>
        <Title headingLevel="h1">{access.title}</Title>
      </PageSection>
      <PageSection type="tabs">
        <Tabs activeKey={which} usePageInsets onSelect={(_, key) => go(`/access/${String(key)}`)} aria-label={access.title}>
          {(Object.keys(TABS) as Which[]).map((key) => (
            <Tab key={key} eventKey={key} title={<TabTitleText>{access[key]}</TabTitleText>} tabContentId="access" />
          ))}
        </Tabs>
      </PageSection>
      <PageSection isFilled id="access" role="tabpanel" aria-label={access[which]}>
        <Content />
      </PageSection>
    </>
  );
}

async function sure(question: Omit<Question, 'isDangerous'>, method: string, ...params: unknown[]): Promise<boolean> {
  if (!(await ask({ ...question, isDangerous: true }))) return false;
  try {
    await connection.call(method, ...params);
    return true;
  } catch (error) {
    notify('danger', question.title, explain(error));
    return false;
  }
}

/** Those of the host cannot be changed here. */
const NOT_THE_HOSTS = [['builtin', '=', false]];

function may(roles: readonly string[]): string {
  const known: Partial<Record<string, string>> = access.roles;
  return known[roleOf(roles)] ?? roles.join(', ');
}

function Users() {
  const users = useLive<UserRow[]>('user.query', NOT_THE_HOSTS);
  const mayWrite = useMay('ACCOUNT_WRITE');
  const [editing, setEditing] = useState<UserRow | 'new' | null>(null);
  const remove = async (user: UserRow): Promise<void> => {
    const question = { title: access.deleteUser(user.username), body: access.deleteUserBody, confirm: text.common.delete };
    if (await sure(question, 'user.delete', user.id)) users.reload();
  };
  const turnOff = async (user: UserRow): Promise<void> => {
    const { removeOf, removeBody, remove: confirm } = text.twoFactor;
    const question = { title: removeOf(user.username), body: removeBody, confirm };
    if (await sure(question, 'user.unset_2fa_secret', user.username)) users.reload();
  };
  return (
    <>
      <div className="vs-bar">{users.data && mayWrite && <Button onClick={() => setEditing('new')}>{access.addUser}</Button>}</div>
      <Rows label={access.title} called={users} none={access.noUsers} columns={[access.username, access.fullName, access.role, access.locked, access.twoFactor]}>
        {(user) => (
          <Tr key={user.id}>
            <Td dataLabel={access.username}>{user.username}</Td>
            <Td dataLabel={access.fullName}>{user.full_name}</Td>
            <Td dataLabel={access.role}>{may(user.roles ?? [])}</Td>
            <Td dataLabel={access.locked}>{user.locked ? text.common.yes : text.common.no}</Td>
            <Td dataLabel={access.twoFactor}>{user.twofactor_auth_configured ? text.common.yes : text.common.no}</Td>
            <Td isActionCell modifier="nowrap">
              {mayWrite && user.twofactor_auth_configured && (
                <Button variant="link" size="sm" aria-label={text.twoFactor.removeOf(user.username)} onClick={() => void turnOff(user)}>
                  {access.noTwoFactor}
                </Button>
              )}
              {mayWrite && (
                <>
                  <Button variant="secondary" size="sm" aria-label={`${text.common.edit}: ${user.username}`} onClick={() => setEditing(user)}>
                    {text.common.edit}
                  </Button>
                  <Button variant="link" isDanger size="sm" aria-label={`${text.common.delete}: ${user.username}`} onClick={() => void remove(user)}>
                    {text.common.delete}
                  </Button>
                </>
              )}
            </Td>
          </Tr>
        )}
      </Rows>
      {editing && (
        <UserDialog user={editing === 'new' ? null : editing} onClose={() => setEditing(null)} onDone={() => (setEditing(null), users.reload())} />
      )}
    </>
  );
}

function Keys() {
  const keys = useLive<KeyRow[]>('api_key.query');
  const [isMaking, setMaking] = useState(false);
  const remove = async (key: KeyRow): Promise<void> => {
    const question = { title: access.revoke, body: access.revokeBody(key.name), confirm: access.revoke };
    if (await sure(question, 'api_key.delete', key.id)) keys.reload();
  };
  return (
    <>
      <div className="vs-bar">{keys.data && <Button onClick={() => setMaking(true)}>{access.addKey}</Button>}</div>
      <Rows label={access.title} called={keys} none={access.noKeys} columns={[access.keyName, access.keyOf, access.created, access.expires]}>
        {(key) => (
          <Tr key={key.id}>
            <Td dataLabel={access.keyName}>{key.name}</Td>
            <Td dataLabel={access.keyOf}>{key.username}</Td>
            <Td dataLabel={access.created}>{clock(time(key.created_at))}</Td>
            <Td dataLabel={access.expires}>{key.expires_at ? clock(time(key.expires_at)) : access.never}</Td>
            <Td isActionCell modifier="nowrap">
              <Button variant="link" isDanger size="sm" aria-label={`${access.revoke}: ${key.name}`} onClick={() => void remove(key)}>
                {access.revoke}
              </Button>
            </Td>
          </Tr>
        )}
      </Rows>
      {isMaking && <KeyDialog onClose={() => (setMaking(false), keys.reload())} />}
    </>
  );
}

function Sessions() {
  const sessions = useLive<SessionRow[]>('auth.sessions');
  const end = async (session: SessionRow): Promise<void> => {
    const question = { title: access.terminate, body: session.origin, confirm: access.terminate };
    if (await sure(question, 'auth.terminate_session', session.id)) sessions.reload();
  };
  const endOthers = async (): Promise<void> => {
    const question = { title: access.terminateOthers, body: access.terminateOthersBody, confirm: access.terminateOthers };
    if (await sure(question, 'auth.terminate_other_sessions')) sessions.reload();
  };
  const mayEnd = useMay('AUTH_SESSIONS_WRITE');
  const hasOthers = mayEnd && sessions.data?.some(({ current, internal }) => !current && !internal);
  return (
    <>
      <div className="vs-bar">
        {hasOthers && (
          <Button variant="secondary" isDanger onClick={() => void endOthers()}>
            {access.terminateOthers}
          </Button>
        )}
      </div>
      <Rows label={access.title} called={sessions} none={access.noSessions} columns={[access.username, access.from, access.how, access.since]}>
        {(session) => (
          <Tr key={session.id}>
            <Td dataLabel={access.username}>
              {session.credentials_data.username} {session.current && <span className="vs-subtle">({access.current})</span>}
            </Td>
            <Td dataLabel={access.from} className="vs-break">
              {session.origin}
            </Td>
            <Td dataLabel={access.how}>{access.ways[session.credentials]}</Td>
            <Td dataLabel={access.since}>{clock(time(session.created_at))}</Td>
            <Td isActionCell modifier="nowrap">
              {mayEnd && !session.current && (
                <Button variant="link" isDanger size="sm" aria-label={`${access.terminate}: ${session.origin}`} onClick={() => void end(session)}>
                  {access.terminate}
                </Button>
              )}
            </Td>
          </Tr>
        )}
      </Rows>
    </>
  );
}
