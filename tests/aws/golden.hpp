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
    "Action=RunInstances&Version=2016-11-15&ImageId=ami-0123456789abcdef0&InstanceType=c7g.large&MinCo"
    "unt=1&MaxCount=3&SubnetId=subnet-0a&SecurityGroupId.1=sg-0a&SecurityGroupId.2=sg-0b&ClientToken=s"
    "poold-1-1&UserData=IyEvYmluL3NoCmVjaG8gaGk%3D&InstanceInitiatedShutdownBehavior=terminate&IamInst"
    "anceProfile.Name=worker&InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptions.S"
    "potInstanceType=one-time&InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=terminate"
    "&InstanceMarketOptions.SpotOptions.MaxPrice=0.05&MetadataOptions.HttpTokens=required&MetadataOpti"
    "ons.HttpPutResponseHopLimit=1&MetadataOptions.InstanceMetadataTags=enabled&BlockDeviceMapping.1.D"
    "eviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.VolumeSize=30&BlockDeviceMapping.1.Ebs.VolumeTyp"
    "e=gp3&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true&TagSpecification.1.ResourceType=instance&"
    "TagSpecification.1.Tag.1.Key=spoold%3Acluster&TagSpecification.1.Tag.1.Value=c1&TagSpecification."
    "1.Tag.2.Key=Name&TagSpecification.1.Tag.2.Value=w+1&TagSpecification.2.ResourceType=volume&TagSpe"
    "cification.2.Tag.1.Key=spoold%3Acluster&TagSpecification.2.Tag.1.Value=c1&TagSpecification.2.Tag."
    "2.Key=Name&TagSpecification.2.Tag.2.Value=w+1&TagSpecification.3.ResourceType=network-interface&T"
    "agSpecification.3.Tag.1.Key=spoold%3Acluster&TagSpecification.3.Tag.1.Value=c1&TagSpecification.3"
    ".Tag.2.Key=Name&TagSpecification.3.Tag.2.Value=w+1&TagSpecification.4.ResourceType=spot-instances"
    "-request&TagSpecification.4.Tag.1.Key=spoold%3Acluster&TagSpecification.4.Tag.1.Value=c1&TagSpeci"
    "fication.4.Tag.2.Key=Name&TagSpecification.4.Tag.2.Value=w+1",
    "0e1d6cb47a4501c881a57360240f8edb151dd44e48b4b2ac0a2e511508cd61b1",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, SignedHeaders=conten"
    "t-type;host;x-amz-date, Signature=225f5f1d4327816e1bd61b45d794524fd539a4bdefb618a0ce35dc7b91dca9b"
    "0"};

inline constexpr Request kDescribeImages{
    "Action=DescribeImages&Version=2016-11-15&ImageId.1=ami-0123456789abcdef0",
    "58358199a96fa000786ec65efce50ecc937e534cf7345b0ff4514dae0cdf64ff",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, SignedHeaders=conten"
    "t-type;host;x-amz-date, Signature=ab746f8b70bff8ee04f8e480b5d980b5a836f4cf62a3e582c157e6af4a52af1"
    "e"};

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
