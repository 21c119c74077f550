"""A training that SIGKILL ends in the middle of an epoch, and that goes on afterwards, ends as an undisturbed one: the same scores in each epoch, the same weights to the last bit."""
import os, signal, subprocess, sys, tempfile
from pathlib import Path
import torch
from fastai.callback.core import Callback
from ir_cnn.data.core import RetrievalDataset, get_dataset
from ir_cnn.train.fit import train

settings = dict(arch='test_resnet', pretrained=False, size=32, head='gem', n_out=16, bs=40, lr=1e-2, body_lr=1e-2, epochs=2, freeze_epochs=0, augment='crop(0.8)')


def fit(root, folder, *cbs):
    "The learner after its training on every fourth digit, or after what is left of it"
    few = RetrievalDataset('few', get_dataset('digits', root=root).items.iloc[::4])
    return train(dict(settings, dataset=few), root=root, out=Path(root)/folder, device='cpu', workers=0, progress=False, cbs=cbs)


class Die(Callback):
    "Kills the process in the sixth batch of the second epoch"
    order = -1
    def before_batch(self):
        if self.training and (self.learn.seeded_epochs.fits, self.epoch, self.iter) == (0, 1, 5): os.kill(os.getpid(), signal.SIGKILL)


class Count(Callback):
    "How many batches were learnt from"
    n = 0
    def after_step(self): self.n += 1


def main():
    whole, rest = Count(), Count()
    with tempfile.TemporaryDirectory() as d:
        undisturbed = fit(d, 'undisturbed', whole)
        ended = subprocess.run([sys.executable, __file__, d]).returncode
        assert ended == -signal.SIGKILL, f'the training was meant to be killed, and ended with status {ended}'
        done = torch.load(Path(d)/'killed'/'last.pt', weights_only=True)['progress']
        assert (done['fit'], len(done['values'])) == (0, 1), 'it was meant to die in the second epoch'
        again = fit(d, 'killed', rest)
        assert 2*rest.n == whole.n > 0, f'{rest.n} batches were learnt from after the kill, where one of two epochs with {whole.n} was left'
        assert again.recorder.values == undisturbed.recorder.values, 'the continued training scored differently'
        a, b = (o.model.state_dict() for o in (undisturbed, again))
        other = [k for k in a if not torch.equal(a[k], b[k])]
        assert not other, f'the continued training ended with other weights in {other}'
        print(f'Killed in the second of two epochs and continued: the same scores and {len(a)} equal tensors of weights; MAP@R {again.recorder.values[-1][3]:.4f}')


if __name__ == '__main__':
    torch.set_num_threads(1)
    fit(sys.argv[1], 'killed', Die()) if len(sys.argv) > 1 else main()
