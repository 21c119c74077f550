"Everything about the package is said in settings.ini; this file hands it to setuptools."
import re
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
ini = ConfigParser(delimiters=['='], interpolation=None)
ini.read(here/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
status = {'3': '3 - Alpha', '4': '4 - Beta', '5': '5 - Production/Stable'}[cfg['status']]

def readme():
    "README.md with links that work away from the repository, on PyPI"
    text, base = (here/'README.md').read_text(encoding='utf-8'), cfg['git_url']
    text = re.sub(r'(!\[[^\]]*\])\((?!\w+:)', rf'\1({base}/raw/{cfg["branch"]}/', text)
    return re.sub(r'\]\((?!\w+:|#)', f']({base}/blob/{cfg["branch"]}/', text)

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=readme(),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    url=cfg['git_url'],
    license='Apache-2.0',
    keywords=cfg['keywords'].split(),
    classifiers=[f'Development Status :: {status}', f"Intended Audience :: {cfg['audience']}",
                 'Programming Language :: Python :: 3', 'Framework :: Jupyter'],
    packages=find_packages(include=[cfg['lib_name'], cfg['lib_name'] + '.*']),
    package_data={cfg['lib_name']: cfg['package_data'].split()},
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={o: cfg[f'{o}_requirements'].split() for o in ('cluster', 'dev', 'explain', 'fast', 'heif', 'index', 'milvus', 'onnx')},
    entry_points={'console_scripts': cfg['console_scripts'].split(),
                  'nbdev': [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"]}, # links from names in backticks to their pages
)
