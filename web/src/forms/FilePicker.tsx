/** Choose a file of a pool, or upload one. */
import {
  Alert,
  Button,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  Progress,
  TextInput,
} from '@patternfly/react-core';
import FileIcon from '@patternfly/react-icons/dist/esm/icons/file-icon';
import FolderIcon from '@patternfly/react-icons/dist/esm/icons/folder-icon';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { type DragEvent, useId, useRef, useState } from 'react';
import { explain } from '../api/errors';
import { upload } from '../api/files';
import type { FileEntry, Pool } from '../api/types';
import { bytes } from '../parts/format';
import { useCall } from '../parts/useCall';
import { ended } from '../store/jobs';
import { notify } from '../store/notices';
import { text } from '../text';
import { Row } from './fields';
import type { Form } from './useForm';

interface Props {
  form: Form;
  name: string;
  label: string;
  title: string;
  /** Endings of the files that are offered; none: all. */
  endings?: readonly string[];
  isRequired?: boolean;
}

/** A path with a button to look for it. */
export function PathField({ form, name, label, title, endings, isRequired }: Props) {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const error = form.errorOf(name);
  const value = String(form.values[name] ?? '');
  return (
    <Row id={id} label={label} error={error} isRequired={isRequired}>
      <div className="vs-size">
        <TextInput
          id={id}
          name={name}
          placeholder="/mnt/…"
          spellCheck={false}
          value={value}
          validated={error ? 'error' : 'default'}
          onChange={(_, given) => form.set(name, given)}
        />
        <Button variant="secondary" onClick={() => setOpen(true)}>
          {text.create.browse}
        </Button>
      </div>
      {isOpen && (
        <FilePicker
          title={title}
          endings={endings}
          start={value}
          onChoose={(path) => (form.set(name, path), setOpen(false))}
          onClose={() => setOpen(false)}
        />
      )}
    </Row>
  );
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/mnt';

export function FilePicker({ title, endings, start, onChoose, onClose }: {
  title: string;
  endings?: readonly string[] | undefined;
  start?: string;
  onChoose(path: string): void;
  onClose(): void;
}) {
  const pools = useCall<Pool[]>('pool.query');
  const [at, setAt] = useState(start?.startsWith('/mnt/') ? folderOf(start) : '');
  const folder = at || pools.data?.[0]?.path || null;
  const listing = useCall<FileEntry[]>(folder ? 'filesystem.listdir' : null, folder);
  const isRoot = pools.data?.some((pool) => pool.path === folder) ?? true;
  const offered = (listing.data ?? [])
    .filter((entry) => entry.type === 'DIRECTORY' || !endings || endings.some((ending) => entry.name.toLowerCase().endsWith(ending)))
    .filter((entry) => !entry.name.startsWith('.'))
    .sort((a, b) => Number(b.type === 'DIRECTORY') - Number(a.type === 'DIRECTORY') || a.name.localeCompare(b.name));
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="files-title">
      <ModalHeader title={title} labelId="files-title" />
      <ModalBody>
        <div className="vs-bar">
          {pools.data && pools.data.length > 1 && pools.data.map((pool) => (
            <Button key={pool.path} variant="tertiary" size="sm" onClick={() => setAt(pool.path)}>
              {pool.name}
            </Button>
          ))}
          {!isRoot && folder && (
            <Button variant="secondary" size="sm" onClick={() => setAt(folderOf(folder))}>
              {text.files.up}
            </Button>
          )}
          <code className="vs-break">{folder}</code>
        </div>
        {folder && <Upload folder={folder} endings={endings} onDone={(path) => (listing.reload(), onChoose(path))} />}
        {listing.error && <Alert component="p" isInline variant="danger" title={listing.error} />}
        <Table variant="compact" aria-label={text.files.label} gridBreakPoint="">
          <Thead>
            <Tr>
              <Th>{text.files.name}</Th>
              <Th>{text.files.size}</Th>
            </Tr>
          </Thead>
          <Tbody>
            {offered.map((entry) => (
              <Tr key={entry.path}>
                <Td>
                  <Button
                    variant="link"
                    isInline
                    icon={entry.type === 'DIRECTORY' ? <FolderIcon /> : <FileIcon />}
                    onClick={() => (entry.type === 'DIRECTORY' ? setAt(entry.path) : onChoose(entry.path))}
                  >
                    {entry.name}
                  </Button>
                </Td>
                <Td className="vs-number">{entry.type === 'DIRECTORY' ? '' : bytes(entry.size)}</Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
        {listing.data && offered.length === 0 && <p className="vs-subtle">{text.files.empty}</p>}
      </ModalBody>
      <ModalFooter>
        <Button variant="link" onClick={onClose}>
          {text.common.cancel}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

function Upload({ folder, endings, onDone }: { folder: string; endings: readonly string[] | undefined; onDone(path: string): void }) {
  const input = useRef<HTMLInputElement>(null);
  const broken = useRef<AbortController | null>(null);
  const [sent, setSent] = useState<{ name: string; part: number } | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [isOver, setOver] = useState(false);
  const send = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    const path = `${folder}/${file.name}`;
    broken.current = new AbortController();
    setError(null);
    setSent({ name: file.name, part: 0 });
    try {
      await ended(await upload(file, path, (part) => setSent({ name: file.name, part }), broken.current.signal));
      notify('success', text.create.uploaded(file.name));
      onDone(path);
    } catch (failure) {
      if (!broken.current.signal.aborted) setError(explain(failure));
    } finally {
      setSent(null);
    }
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void send(event.dataTransfer.files[0]);
  };
  return (
    <div
      className={isOver ? 'vs-drop vs-drop-over' : 'vs-drop'}
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      {sent ? (
        <>
          <Progress title={text.create.uploading(sent.name)} value={Math.floor(sent.part * 100)} aria-label={text.create.uploading(sent.name)} />
          <Button variant="link" isInline onClick={() => broken.current?.abort()}>
            {text.common.cancel}
          </Button>
        </>
      ) : (
        <span className="vs-title">
          <Button variant="secondary" onClick={() => input.current?.click()}>
            {text.create.upload}
          </Button>
          <span className="vs-subtle">{text.create.uploadHelp}</span>
        </span>
      )}
      <input ref={input} type="file" hidden accept={endings?.join(',')} aria-label={text.create.upload} onChange={(event) => void send(event.target.files?.[0])} />
      {error && <Alert component="p" isInline variant="danger" title={error} />}
    </div>
  );
}
