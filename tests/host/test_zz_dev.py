from pathlib import Path
import time
from .public_weights import *
from .server import checkout
def test_it(tmp_path):
    import shutil
    t=time.time()
    out=Path('/tmp/w/p6/files'); shutil.rmtree(out, ignore_errors=True)
    f=write_public(checkout('newest'), out)
    print(f, time.time()-t)
