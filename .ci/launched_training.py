"""Two launched processes train one network: run by `accelerate launch`, or by itself, which launches two and compares what they wrote.

Each process writes which images it has learnt from and a digest of the parameters it ended with. Together they must have seen what one process would have seen, each batch once, and hold the same network.
"""
import json, os, subprocess, sys, tempfile
from pathlib import Path


def main():
    with tempfile.TemporaryDirectory() as d:
        env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
        subprocess.run([sys.executable, '-m', 'accelerate.commands.launch', '--multi_gpu', '--num_processes', '2', '--num_machines', '1', '--mixed_precision', 'no',
                        '--dynamo_backend', 'no', __file__, d], check=True, env=env)
        a, b = (json.loads((Path(d)/f'{i}.json').read_text()) for i in (0, 1))
        assert a['parameters'] == b['parameters'], 'the two processes ended with different networks'
        assert a['scores'] == b['scores'], 'the two processes scored differently'
        assert len(a['rows']) == len(b['rows']) > 0, 'the two processes saw different numbers of images'
        epoch = len(a['rows'])//a['epochs']
        for e in range(a['epochs']):
            first, second = (set(o['rows'][e*epoch:(e+1)*epoch]) for o in (a, b))
            assert not first & second, 'an image was learnt by both processes in one epoch'
        print(f"Two processes, {a['epochs']} epochs: the same network in both, {epoch} images an epoch in each, none in both; {a['scores']}")


def child(folder):
    import torch
    from fastai.callback.core import Callback
    from ir_cnn.core import digest, process_group
    from ir_cnn.train.fit import check_settings, fit_settings, learner_from

    class Seen(Callback):
        "Notes the images of each training batch by their content"
        def before_fit(self): self.rows = getattr(self, 'rows', [])
        def before_batch(self):
            if self.training: self.rows += [digest(o.as_subclass(torch.Tensor).clone()) for o in self.xb[0].cpu()]

    torch.set_num_threads(1)
    group, seen = process_group(), Seen()
    settings = check_settings(dataset='digits', arch='test_resnet', pretrained=False, size=32, head='gem', n_out=16, sampler='shuffled', bs=50, lr=1e-2, body_lr=1e-2, epochs=2,
                              freeze_epochs=0, augment='')
    with group.main_process_first(): learn = learner_from(settings, root=folder, device='cpu', workers=0, cbs=[seen])
    with learn.distrib_ctx(sync_bn=False), learn.no_bar(), learn.no_logging(): fit_settings(learn, settings)
    result = dict(parameters=digest([o.detach() for o in learn.model.parameters()]), rows=seen.rows, epochs=2, scores={k: round(v, 6) for k, v in learn.retrieval_scores.scores.items()})
    (Path(folder)/f'{group.process_index}.json').write_text(json.dumps(result))


if __name__ == '__main__': child(sys.argv[1]) if len(sys.argv) > 1 else main()
