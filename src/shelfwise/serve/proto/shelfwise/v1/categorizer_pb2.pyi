from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Product(_message.Message):
    __slots__ = ("product_id", "title", "description", "brand", "shop", "url", "image", "attributes", "picture", "fields", "picture_url")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    SHOP_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    PICTURE_URL_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    title: str
    description: str
    brand: str
    shop: str
    url: str
    image: str
    attributes: _containers.ScalarMap[str, str]
    picture: bytes
    fields: _containers.ScalarMap[str, str]
    picture_url: str
    def __init__(self, product_id: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., brand: _Optional[str] = ..., shop: _Optional[str] = ..., url: _Optional[str] = ..., image: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., picture: _Optional[bytes] = ..., fields: _Optional[_Mapping[str, str]] = ..., picture_url: _Optional[str] = ...) -> None: ...

class Options(_message.Message):
    __slots__ = ("model", "top", "promise", "explain")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    PROMISE_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    model: str
    top: int
    promise: float
    explain: bool
    def __init__(self, model: _Optional[str] = ..., top: _Optional[int] = ..., promise: _Optional[float] = ..., explain: _Optional[bool] = ...) -> None: ...

class PredictRequest(_message.Message):
    __slots__ = ("product", "options")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    product: Product
    options: Options
    def __init__(self, product: _Optional[_Union[Product, _Mapping]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("model", "prediction", "ignored")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    model: Model
    prediction: Prediction
    ignored: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ..., prediction: _Optional[_Union[Prediction, _Mapping]] = ..., ignored: _Optional[_Iterable[str]] = ...) -> None: ...

class PredictBatchRequest(_message.Message):
    __slots__ = ("products", "options")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[Product]
    options: Options
    def __init__(self, products: _Optional[_Iterable[_Union[Product, _Mapping]]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...

class PredictBatchResponse(_message.Message):
    __slots__ = ("model", "predictions", "ignored")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    model: Model
    predictions: _containers.RepeatedCompositeFieldContainer[Prediction]
    ignored: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ..., predictions: _Optional[_Iterable[_Union[Prediction, _Mapping]]] = ..., ignored: _Optional[_Iterable[str]] = ...) -> None: ...

class PredictStreamRequest(_message.Message):
    __slots__ = ("product", "options")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    product: Product
    options: Options
    def __init__(self, product: _Optional[_Union[Product, _Mapping]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...

class PredictStreamResponse(_message.Message):
    __slots__ = ("model", "prediction", "ignored")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    model: Model
    prediction: Prediction
    ignored: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ..., prediction: _Optional[_Union[Prediction, _Mapping]] = ..., ignored: _Optional[_Iterable[str]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ModelAbout]
    def __init__(self, models: _Optional[_Iterable[_Union[ModelAbout, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ModelAbout(_message.Message):
    __slots__ = ("model", "where", "loaded_at", "categories", "fields", "columns", "pictures")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    model: Model
    where: str
    loaded_at: str
    categories: int
    fields: _containers.RepeatedScalarFieldContainer[str]
    columns: _containers.RepeatedScalarFieldContainer[str]
    pictures: bool
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ..., where: _Optional[str] = ..., loaded_at: _Optional[str] = ..., categories: _Optional[int] = ..., fields: _Optional[_Iterable[str]] = ..., columns: _Optional[_Iterable[str]] = ..., pictures: _Optional[bool] = ...) -> None: ...

class Prediction(_message.Message):
    __slots__ = ("product_id", "category", "confidence", "accepted", "shelf", "shelf_confidence", "candidates", "status", "reason", "code", "evidence")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    SHELF_FIELD_NUMBER: _ClassVar[int]
    SHELF_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    category: str
    confidence: float
    accepted: bool
    shelf: str
    shelf_confidence: float
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    status: str
    reason: str
    code: str
    evidence: Evidence
    def __init__(self, product_id: _Optional[str] = ..., category: _Optional[str] = ..., confidence: _Optional[float] = ..., accepted: _Optional[bool] = ..., shelf: _Optional[str] = ..., shelf_confidence: _Optional[float] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., code: _Optional[str] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("category", "confidence")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    category: str
    confidence: float
    def __init__(self, category: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("words", "neighbours", "views")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOURS_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    words: _containers.RepeatedCompositeFieldContainer[Word]
    neighbours: _containers.RepeatedCompositeFieldContainer[Neighbour]
    views: _containers.RepeatedCompositeFieldContainer[Vote]
    def __init__(self, words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., neighbours: _Optional[_Iterable[_Union[Neighbour, _Mapping]]] = ..., views: _Optional[_Iterable[_Union[Vote, _Mapping]]] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("field", "text", "weight")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    field: str
    text: str
    weight: float
    def __init__(self, field: _Optional[str] = ..., text: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class Neighbour(_message.Message):
    __slots__ = ("product_id", "title", "category", "similarity")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    title: str
    category: str
    similarity: float
    def __init__(self, product_id: _Optional[str] = ..., title: _Optional[str] = ..., category: _Optional[str] = ..., similarity: _Optional[float] = ...) -> None: ...

class Vote(_message.Message):
    __slots__ = ("view", "category", "confidence")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    view: str
    category: str
    confidence: float
    def __init__(self, view: _Optional[str] = ..., category: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...
