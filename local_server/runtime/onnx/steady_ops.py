"""Operators of ONNX whose cost the sizes of their inputs bound: of ai.onnx and ai.onnx.ml.

They have no state, no loops and no subgraphs, draw no random numbers, and make no tensor of a size
that a request could choose (ConstantOfShape, Expand, Range, Resize, Tile).
"""

from __future__ import annotations

_STEADY = """
    Abs Acos Acosh Add And ArgMax ArgMin ArrayFeatureExtractor Asin Asinh Atan Atanh
    AveragePool BatchNormalization Binarizer BitShift BitwiseAnd BitwiseNot BitwiseOr
    BitwiseXor Cast CastMap CategoryMapper Ceil Celu Clip Concat Constant Conv ConvInteger
    ConvTranspose Cos Cosh DepthToSpace DequantizeLinear Div DynamicQuantizeLinear Elu Equal
    Erf Exp FeatureVectorizer Flatten Floor Gather GatherElements GatherND Gelu Gemm
    GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid
    HardSwish Hardmax Identity Imputer InstanceNormalization IsInf IsNaN LRN LabelEncoder
    LayerNormalization LeakyRelu Less LessOrEqual LinearClassifier LinearRegressor Log
    LogSoftmax LpNormalization MatMul MatMulInteger Max MaxPool Mean Min Mish Mod Mul Neg
    Normalizer Not OneHotEncoder Or PRelu Pow QLinearConv QLinearMatMul QuantizeLinear
    Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round SVMClassifier SVMRegressor
    Scaler Selu Shape Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu TopK Transpose
    TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor Unsqueeze Where Xor
"""
STEADY_OPS = frozenset(_STEADY.split())
