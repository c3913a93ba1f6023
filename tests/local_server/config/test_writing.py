"""A configuration that is written is read as the same one."""

from cloudserve.local_server.config import (
    All,
    Latest,
    LoggingConfig,
    ModelConfig,
    ModelServerConfig,
    Specific,
    model_server_config,
    parse_text_proto,
    read_config,
)
from cloudserve.local_server.config.writing import to_text
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.integers(0, 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
POLICIES = st.one_of(
    st.just(All()),
    st.builds(Latest, st.integers(1, 2**32 - 1)),
    st.builds(Specific, st.frozensets(NUMBERS, max_size=4)),
)
RATES = st.floats(0, 1, width=64)
LOGS = st.builds(LoggingConfig, TEXTS.map("/{}".format), RATES)
MODELS = st.builds(
    ModelConfig,
    name=TEXTS,
    base_path=TEXTS,
    policy=POLICIES,
    labels=st.dictionaries(TEXTS, NUMBERS, max_size=3),
    logging=st.none() | LOGS,
)


@given(st.lists(MODELS, max_size=3).map(tuple).map(ModelServerConfig))
def test_every_configuration_is_read_back(config):
    text = to_text(config)
    assert read_config(parse_text_proto(text.encode(), model_server_config())) == config
