'use client';
import { useEffect, useState } from 'react';
import { Captioner, sentence } from 'soli-captioner';
import weights from 'soli-captioner-weights';

export default function Page() {
  const [soli, setSoli] = useState(null);
  const [said, say] = useState('');
  useEffect(() => {
    const stop = new AbortController();
    const loading = Captioner.load({ weights, signal: stop.signal });
    loading.then(setSoli, (error) => stop.signal.aborted || say(error.message));
    return () => {
      stop.abort();
      loading.then((captioner) => captioner.dispose(), () => {});
    };
  }, []);
  return (
    <>
      <input
        type="file"
        accept="image/*"
        aria-label="Picture"
        disabled={soli === null}
        onChange={async ({ target }) => say(sentence(await soli.caption(target.files[0])))}
      />
      <output>{said}</output>
    </>
  );
}
