"Every public name of the library, as `fastai.vision.all` gathers fastai's."
from .core import *
from .data import *
from .models import *
from .features import *
from .search import *
from .metrics import *
from .log import *
from .training import *
from .interpret import *
from .run import *
