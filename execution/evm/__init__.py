"""py-evm's rules, run on a state view.

`account_db` is the journaled state of one transaction, which records what it reads; `state` and `computation` are
py-evm's classes over it; `program` and `interpreter` run the bytecode; `executor` is the transaction around it.
Whatever in this package imports py-evm gets it by way of `lazy_imports`, which therefore comes first, here.
"""

from execution.evm.lazy_imports import import_py_evm

import_py_evm()
