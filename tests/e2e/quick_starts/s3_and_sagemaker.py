"""A deployment with boto3 as AWS's documentation shows it: no endpoint, no credentials."""

import json
import sys
import time

import boto3

region, bucket, folder = "eu-west-1", "my-models", sys.argv[1]
role = "arn:aws:iam::000000000000:role/serving"
image = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-inference:2.19-cpu"

s3 = boto3.client("s3", region_name=region)
s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
s3.upload_file(folder, bucket, "model.tar.gz")

sagemaker = boto3.client("sagemaker", region_name=region)
sagemaker.create_model(
    ModelName="half",
    ExecutionRoleArn=role,
    PrimaryContainer={"Image": image, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"},
)
variant = {"VariantName": "all", "ModelName": "half", "InstanceType": "ml.m5.large"}
sagemaker.create_endpoint_config(
    EndpointConfigName="half", ProductionVariants=[variant | {"InitialInstanceCount": 1}]
)
sagemaker.create_endpoint(EndpointName="half", EndpointConfigName="half")
while sagemaker.describe_endpoint(EndpointName="half")["EndpointStatus"] == "Creating":
    time.sleep(0.1)

runtime = boto3.client("sagemaker-runtime", region_name=region)
answer = runtime.invoke_endpoint(
    EndpointName="half", ContentType="application/json", Body=json.dumps({"instances": [1.0, 5.0]})
)
print(boto3.client("sts").get_caller_identity()["Account"], answer["Body"].read().decode())
