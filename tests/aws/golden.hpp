#pragma once

#include <string_view>

// Requests as AWS's SDK for Python makes and signs them: botocore, run offline at 2026-01-02T03:04:05Z for
// us-east-1 with AWS's documented example key.
namespace drover::aws::golden {

struct Request {
  std::string_view body;
  std::string_view body_sha256;
  std::string_view authorization;
};

inline constexpr Request kRunInstances{
    "Action=RunInstances&Version=2016-11-15&ImageId=ami-0123456789abcdef0&InstanceType=c7g.large&MinC"
    "ount=1&MaxCount=3&SubnetId=subnet-0a&SecurityGroupId.1=sg-0a&SecurityGroupId.2=sg-0b&ClientToken"
    "=spoold-1-1&UserData=IyEvYmluL3NoCmVjaG8gaGk%3D&InstanceInitiatedShutdownBehavior=terminate&IamI"
    "nstanceProfile.Name=worker&InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptio"
    "ns.SpotInstanceType=one-time&InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=term"
    "inate&InstanceMarketOptions.SpotOptions.MaxPrice=0.05&MetadataOptions.HttpTokens=required&Metada"
    "taOptions.HttpPutResponseHopLimit=1&MetadataOptions.InstanceMetadataTags=enabled&BlockDeviceMapp"
    "ing.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.VolumeSize=30&BlockDeviceMapping.1.Ebs.V"
    "olumeType=gp3&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true&TagSpecification.1.ResourceType="
    "instance&TagSpecification.1.Tag.1.Key=spoold%3Acluster&TagSpecification.1.Tag.1.Value=c1&TagSpec"
    "ification.1.Tag.2.Key=Name&TagSpecification.1.Tag.2.Value=w+1",
    "140042197d5e556bb0e44f0f03461b2e9112c420da878b5d741fae4bedb01bee",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, SignedHeaders=conte"
    "nt-type;host;x-amz-date, Signature=99aeaba90588d44e34bdd81ec19edee54aeacad4d5e63939d879fa5e95366"
    "507"};

inline constexpr Request kDescribeInstances{
    "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Aspoold%3Acluster&Filter.1.Value."
    "1=c1&Filter.2.Name=instance-state-name&Filter.2.Value.1=pending&Filter.2.Value.2=running&Filter."
    "2.Value.3=shutting-down&Filter.2.Value.4=stopping&Filter.2.Value.5=stopped&Filter.2.Value.6=term"
    "inated&MaxResults=1000&NextToken=abc%3D%3D",
    "37cd9f37dc2807b12ae788d9c8f8d8f735cca9af387bc4e8144d2eeff0acf0ac",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, SignedHeaders=conte"
    "nt-type;host;x-amz-date, Signature=a4ce2e31c481f03b2256d93e9e6a0d38f2c604364f16f99e61c9134b91c57"
    "cda"};

inline constexpr Request kDescribeIds{
    "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1&InstanceId.2=i-2",
    "5501ff8ec579fab50b703e50c19195872e1d2bb31029c4b9e559b9dd8fa9172c",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, SignedHeaders=conte"
    "nt-type;host;x-amz-date, Signature=d5d02f7417e11a44e804e171e58b42963a1fe5ee58900cdaed877aeea34cf"
    "c03"};

inline constexpr Request kTerminateInstances{
    "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-0123456789abcdef0&InstanceId.2=i-012"
    "3456789abcdef1",
    "041e8793f2abe9a8f525160a873ab399027d47788128009c968fd9048cd58f3e",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, SignedHeaders=conte"
    "nt-type;host;x-amz-date, Signature=35510807bdfdb3cfa5213b154a59e770b74754839db0e8f9f3538fab4bd14"
    "e40"};

inline constexpr Request kDescribeWithToken{
    "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1",
    "a6b3982ede5bdef28b979f2409182abbc3136b4f21d56e6c590b6971e7597454",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, SignedHeaders=conte"
    "nt-type;host;x-amz-date;x-amz-security-token, Signature=e0ec47ab4cff7727600ce303df17df9b04c1f7bd"
    "934afefb470ba8e4cdf6a474"};

}  // namespace drover::aws::golden
