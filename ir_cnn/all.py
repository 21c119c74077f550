"Every public name of the library, as `fastai.vision.all` gathers fastai's."
from .core import *
from .images import *
from .splits import *
from .data import *
from .benchmark import *
from .official import *
from .pooling import *
from .models import *
from .loading import *
from .embedding import *
from .features import *
from .search import *
from .metrics import *
from .log import *
from .training import *
from .interpret import *
from .run import *
